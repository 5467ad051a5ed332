"""Where the work of a model is: operators by MACs and by memory traffic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from profiler.core.cost import GraphCost, OpCost
from reports.charts.svg import SERIES, drawing, to_svg
from reports.quantities import shown

_MOST = 10


def operator_chart(name: str, cost: GraphCost) -> str | None:
    """Draw the share of each operator type in MACs and in bytes moved; None for an empty graph.

    `name` must be unique in the page.
    """
    ordered = by_weight(cost)[:_MOST]
    if not ordered:
        return None
    traffic = cost.bytes_read + cost.bytes_written
    with drawing(9.2, 0.85 + 0.27 * len(ordered)) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        size = figure.get_figheight()
        figure.subplots_adjust(
            left=0.16, right=0.97, top=1 - 0.36 / size, bottom=0.3 / size, wspace=0.08
        )
        _bars(left, "share of MACs", [_share(op.macs, cost.macs) for op in ordered], SERIES[0])
        moved = [_share(op.bytes_read + op.bytes_written, traffic) for op in ordered]
        _bars(right, "share of bytes read and written", moved, SERIES[1])
        left.set_yticks(range(len(ordered)), [shown(op.op_type, 22) for op in ordered])
        left.set_ylim(len(ordered) - 0.4, -0.6)
        return to_svg(figure, name, "Share of each operator type in MACs and in memory traffic")


def by_weight(cost: GraphCost) -> list[OpCost]:
    """Operators by the larger of their two shares."""
    traffic = cost.bytes_read + cost.bytes_written

    def weight(op: OpCost) -> float:
        return max(_share(op.macs, cost.macs), _share(op.bytes_read + op.bytes_written, traffic))

    return sorted(cost.by_op, key=lambda op: (-weight(op), op.op_type))


def _bars(axes: Any, title: str, shares: Sequence[float], colour: str) -> None:
    axes.barh(range(len(shares)), [100 * share for share in shares], height=0.62, color=colour)
    axes.set_xlim(0, 118)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_title(f"{title} (%)", fontsize=9.5, loc="left")
    for line, share in enumerate(shares):
        axes.annotate(
            _percent(share),
            (100 * share, line),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )


def _percent(share: float) -> str:
    if share == 0:
        return "0"
    return f"{share:.1%}" if share >= 0.0005 else "<0.1%"


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
