"""Accuracy against what a network costs, with the limit and the Pareto set."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from matplotlib.ticker import FuncFormatter

from profiler.core.choice import Constraint
from reports.charts.labels import label_points
from reports.charts.scales import axis_title, axis_unit, scale_axis
from reports.charts.svg import (
    FRONT,
    INK,
    INSIDE,
    LIMIT,
    MUTED,
    OUTSIDE,
    PAPER,
    drawing,
    to_svg,
)
from reports.quantities import quantity
from reports.search_view import FrontPoint, Point, SearchView, Standing

_NAME = "accuracy"


def accuracy_chart(view: SearchView) -> str | None:
    """Draw a search as SVG; None when no accuracy is known.

    Shapes tell kinds apart as colours do: dots are inside the limits, crosses outside, diamonds the
    Pareto set. What was not evaluated because it is outside stands in a strip of its own.
    """
    key = view.axis
    scale = axis_unit(key)[0]
    known = [p for p in view.points if p.accuracy is not None and p.metrics.get(key) is not None]
    if not known:
        return None
    strip = [
        p
        for p in view.standing(Standing.OUTSIDE)
        if p.accuracy is None and p.metrics.get(key) is not None
    ]
    limit = next((c for c in view.record.constraints if c.key == key), None)
    with drawing(9.2, 5.0) as figure:
        axes, below = _axes(figure, bool(strip))
        every = [_x(p, key, scale) for p in (*known, *strip)]
        every += [_front_x(f, key, scale) for f in view.front]
        every += [] if limit is None else [limit.limit / scale]
        scale_axis(axes, "x", every)
        _limit_line(axes, below, limit, scale)
        _accuracies(axes, known)
        tips = _points(axes, known, key, scale)
        _front(axes, view.front, key, scale, known)
        if below is not None:
            tips["skipped"] = _strip(below, strip, key, scale)
        (below or axes).set_xlabel(axis_title(key))
        _legend(figure, [part for part in (axes, below) if part is not None])
        return to_svg(figure, _NAME, _describe(view), tips)


def _axes(figure: Any, with_strip: bool) -> tuple[Any, Any | None]:
    if not with_strip:
        axes = figure.subplots()
        figure.subplots_adjust(left=0.08, right=0.98, top=0.9, bottom=0.12)
        return axes, None
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(10, 1.1))
    figure.subplots_adjust(left=0.08, right=0.98, top=0.9, bottom=0.12, hspace=0.06)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    below.set_yticks([])
    below.grid(visible=False, axis="y")
    below.set_ylim(-1, 1)
    return axes, below


def _limit_line(axes: Any, below: Any | None, limit: Constraint | None, scale: float) -> None:
    if limit is None:
        return
    at = limit.limit / scale
    for part in (axes, below):
        if part is not None:
            part.axvline(at, color=LIMIT, linewidth=1.4, linestyle=(0, (5, 3)), zorder=2)
            part.axvspan(at, part.get_xlim()[1], color=LIMIT, alpha=0.06, linewidth=0, zorder=0)
    low, high = axes.get_xlim()
    right = axes.transAxes.inverted().transform(axes.transData.transform((at, 0)))[0] > 0.75
    axes.annotate(
        f"limit {quantity(limit.metric, limit.limit)}",
        (at, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if right else 5, -3),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top",
        color=LIMIT,
        fontsize=9,
    )
    axes.set_xlim(low, high)


def _accuracies(axes: Any, known: Sequence[Point]) -> None:
    """Cut the axis below when a few networks that learned nothing would squeeze all others."""
    values = [p.accuracy or 0.0 for p in known]
    top, middle = max(values), median(values)
    floor = max(min(values), middle - 3 * max(top - middle, 0.01))
    room = max(0.08 * (top - floor), 0.002)
    axes.set_ylim(floor - room, top + room * 1.6)
    axes.set_ylabel("accuracy")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))


def _points(axes: Any, known: Sequence[Point], key: str, scale: float) -> dict[str, list[str]]:
    floor = axes.get_ylim()[0]
    groups = {
        "inside": (Standing.INSIDE, "o", INSIDE, "inside every limit"),
        "outside": (Standing.OUTSIDE, "x", OUTSIDE, "outside a limit"),
    }
    tips = {}
    for gid, (standing, marker, colour, label) in groups.items():
        group = [p for p in known if p.standing is standing and (p.accuracy or 0.0) >= floor]
        if group:
            _scatter(axes, group, key, scale, gid, marker, colour, label)
            tips[gid] = [_tip(point, key) for point in group]
    low = [p for p in known if (p.accuracy or 0.0) < floor]
    if low:
        at = floor + 0.02 * (axes.get_ylim()[1] - floor)
        axes.scatter(
            [_x(p, key, scale) for p in low],
            [at] * len(low),
            marker="v",
            s=26,
            facecolors="none",
            edgecolors=MUTED,
            gid="low",
            label="below the shown range",
        )
        tips["low"] = [_tip(point, key) for point in low]
    return tips


def _scatter(
    axes: Any,
    group: Sequence[Point],
    key: str,
    scale: float,
    gid: str,
    marker: str,
    colour: str,
    label: str,
) -> None:
    axes.scatter(
        [_x(p, key, scale) for p in group],
        [p.accuracy for p in group],
        marker=marker,
        s=30,
        color=colour,
        alpha=0.75,
        linewidths=1.3 if marker == "x" else 0,
        gid=gid,
        label=label,
        zorder=3,
    )


def _front(
    axes: Any, front: Sequence[FrontPoint], key: str, scale: float, known: Sequence[Point]
) -> None:
    if not front:
        return
    ordered = sorted(front, key=lambda f: (_front_x(f, key, scale), f.accuracy))
    xs = [_front_x(f, key, scale) for f in ordered]
    ys = [f.accuracy for f in ordered]
    axes.plot(xs, ys, drawstyle="steps-post", color=FRONT, linewidth=1.3, zorder=4)
    confirmed = all(f.confirmed for f in front)
    again = "looked up" if all(f.looked_up for f in front) else "measured again"
    axes.scatter(
        xs,
        ys,
        marker="D",
        s=52,
        color=FRONT,
        edgecolors=PAPER,
        linewidths=0.9,
        zorder=5,
        label=f"Pareto set, {again}" if confirmed else "Pareto set so far",
    )
    floor = axes.get_ylim()[0]
    spots = [(_x(p, key, scale), max(p.accuracy or 0.0, floor)) for p in known]
    items = [(x, y, f"#{f.point.number}") for x, y, f in zip(xs, ys, ordered, strict=True)]
    label_points(axes, items[::-1], spots)


def _strip(below: Any, strip: Sequence[Point], key: str, scale: float) -> list[str]:
    below.scatter(
        [_x(p, key, scale) for p in strip],
        [0.0] * len(strip),
        marker="x",
        s=26,
        color=OUTSIDE,
        alpha=0.75,
        linewidths=1.2,
        gid="skipped",
        label="outside a limit",
    )
    below.set_ylabel("not\nevaluated", rotation=0, ha="right", va="center", fontsize=8, color=INK)
    return [_tip(point, key) for point in strip]


def _legend(figure: Any, parts: Sequence[Any]) -> None:
    named: dict[str, Any] = {}
    for part in parts:
        handles, labels = part.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    figure.legend(
        named.values(),
        named.keys(),
        loc="upper left",
        bbox_to_anchor=(0.07, 1.0),
        ncols=len(named),
        handletextpad=0.4,
        columnspacing=1.6,
    )


def _tip(point: Point, key: str) -> str:
    accuracy = "not evaluated" if point.accuracy is None else quantity("accuracy", point.accuracy)
    return f"#{point.number}: {accuracy}, {quantity(key, point.metrics.get(key))}"


def _describe(view: SearchView) -> str:
    best = view.front[0] if view.front else None
    found = "no network to report"
    if best is not None:
        found = f"best {quantity('accuracy', best.accuracy)} with trial {best.point.number}"
    return f"Accuracy of {view.evaluated} networks against {axis_title(view.axis)}: {found}"


def _x(point: Point, key: str, scale: float) -> float:
    return (point.metrics.get(key) or 0.0) / scale


def _front_x(front: FrontPoint, key: str, scale: float) -> float:
    return (front.metrics.get(key) or 0.0) / scale
