"""Measured latency against counted work: how well MACs stand for time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from reports.charts.labels import label_points
from reports.charts.scales import scale_axis
from reports.charts.svg import MARKERS, SERIES, drawing, to_svg
from reports.quantities import quantity, short, shown
from reports.rows import Row

_NAME = "macs"
_FEWEST = 2


def macs_chart(rows: Sequence[Row]) -> str | None:
    """Draw latency against MACs, a series for each target; None with fewer than two points."""
    known = [row for row in rows if row.macs and row.median_ns]
    if len({(row.macs, row.median_ns) for row in known}) < _FEWEST:
        return None
    targets = targets_of(known)[: len(SERIES)]
    known = [row for row in known if row.target in targets]
    with drawing(9.2, 4.6) as figure:
        axes = figure.subplots()
        top = 0.93 - 0.05 * ((len(targets) - 1) // 3)
        figure.subplots_adjust(left=0.08, right=0.98, top=top, bottom=0.12)
        scale_axis(axes, "x", [_macs(row) for row in known])
        scale_axis(axes, "y", [_ms(row) for row in known])
        tips = {}
        for number, target in enumerate(targets):
            group = [row for row in known if row.target == target]
            axes.scatter(
                [_macs(row) for row in group],
                [_ms(row) for row in group],
                marker=MARKERS[number],
                s=34,
                color=SERIES[number],
                alpha=0.75,
                linewidths=0,
                gid=f"target{number}",
                label=shown(target, 60),
            )
            tips[f"target{number}"] = [_tip(row) for row in group]
        axes.set_xlabel("MACs of one inference (million)")
        axes.set_ylabel("median latency (ms)")
        items = [(*_place(row), short(row.label, 26)) for row in _named(known)]
        label_points(axes, items, [_place(row) for row in known])
        figure.legend(loc="upper left", bbox_to_anchor=(0.07, 1.0), ncols=3, handletextpad=0.3)
        return to_svg(figure, _NAME, f"Latency of {len(known)} measurements against MACs", tips)


def targets_of(rows: Sequence[Row]) -> list[str]:
    """The targets of rows, most measured first."""
    ordered = sorted(row.target for row in rows)
    sizes = {target: len(list(group)) for target, group in groupby(ordered)}
    return sorted(sizes, key=lambda target: (-sizes[target], target))


def rank_correlation(rows: Sequence[Row]) -> float | None:
    """Spearman's rank correlation of MACs and latency; None under five different models.

    Source: Spearman 1904, with mean ranks for ties.
    """
    known = [row for row in rows if row.macs and row.median_ns]
    if len({row.model_sha256 for row in known}) < 5:
        return None
    one = _ranks(np.array([_macs(row) for row in known]))
    other = _ranks(np.array([_ms(row) for row in known]))
    if one.std() == 0 or other.std() == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _named(rows: Sequence[Row]) -> list[Row]:
    """One row to write the name at for each model that a person named: its slowest."""
    found: dict[tuple[str, int | None], Row] = {}
    for row in sorted(rows, key=_ms):
        if row.trial is None:
            found[row.label, row.macs] = row
    return list(found.values())[:40]


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return mean


def _place(row: Row) -> tuple[float, float]:
    return _macs(row), _ms(row)


def _macs(row: Row) -> float:
    return (row.macs or 0) / 1e6


def _ms(row: Row) -> float:
    return (row.median_ns or 0.0) / 1e6


def _tip(row: Row) -> str:
    batch = "" if row.batch is None else f", batch {row.batch}"
    return (
        f"{short(row.name, 80)}{batch}: {quantity('latency', row.median_ns)}, "
        f"{quantity('macs', row.macs)} MACs"
    )
