"""Measured models under the machine's calibrated peaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from profiler.core.cost import GraphCost
from profiler.store.records import Calibration
from reports.charts.labels import label_points
from reports.charts.svg import LIMIT, MARKERS, SERIES, drawing, to_svg
from reports.gather import Subject
from reports.quantities import short, shown

_NAME = "roofline"
_ROOF = "float32"


@dataclass(frozen=True, slots=True)
class Spot:
    """One measurement on the roofline.

    Unit: `intensity` FLOPs a byte of memory traffic, `rate` FLOPs a second as measured.
    """

    label: str
    target: str
    intensity: float
    rate: float
    share: float
    named: bool


def spots(subjects: Sequence[Subject], roof: Calibration) -> list[Spot]:
    """The float32 measurements of the calibrated machine at the calibrated threads."""
    found = []
    for subject in subjects:
        row, cost = subject.row, subject.cost
        same = row.environment_key == roof.environment_key and row.threads == roof.threads
        if not same or row.precision != "fp32" or cost is None or not row.median_ns:
            continue
        point = _spot(subject, cost, roof)
        if point is not None:
            found.append(point)
    return found


def roofline_chart(
    subjects: Sequence[Subject], calibrations: Mapping[tuple[str, int], Calibration]
) -> str | None:
    """Draw achieved against possible speed for the newest calibration that has measurements.

    None where there is none. Source: Williams, Waterman, Patterson, "Roofline", 2009.
    """
    for roof in sorted(calibrations.values(), key=lambda c: c.created_at, reverse=True):
        found = spots(subjects, roof)
        if found and roof.flops_per_s.get(_ROOF):
            return _draw(found, roof)
    return None


def _spot(subject: Subject, cost: GraphCost, roof: Calibration) -> Spot | None:
    row, intensity = subject.row, cost.intensity
    peak = _attainable(intensity or 0.0, roof)
    if not intensity or not cost.flops or not peak or not row.median_ns:
        return None
    rate = cost.flops / (row.median_ns / 1e9)
    return Spot(row.label, row.target, intensity, rate, rate / peak, row.trial is None)


def _attainable(intensity: float, roof: Calibration) -> float:
    return min(roof.flops_per_s.get(_ROOF) or 0.0, intensity * roof.bytes_per_s)


def _draw(found: Sequence[Spot], roof: Calibration) -> str:
    peak = roof.flops_per_s[_ROOF] or 0.0
    ridge = peak / roof.bytes_per_s
    low = min([ridge / 8, *(spot.intensity / 2 for spot in found)])
    high = max([ridge * 8, *(spot.intensity * 2 for spot in found)])
    with drawing(9.2, 4.6) as figure:
        axes = figure.subplots()
        figure.subplots_adjust(left=0.09, right=0.98, top=0.91, bottom=0.12)
        for axis in (axes.xaxis, axes.yaxis):
            axis.axes.set(**{f"{axis.axis_name}scale": "log"})
            axis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0), numticks=12))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
            axis.set_minor_formatter(NullFormatter())
        xs = sorted([*np.geomspace(low, high, 60).tolist(), ridge])
        ys = [_attainable(x, roof) / 1e9 for x in xs]
        axes.plot(xs, ys, color=LIMIT, linewidth=1.6)
        axes.annotate(
            f"float32 at best {peak / 1e9:.0f} GFLOP/s", (ridge, peak / 1e9),
            xytext=(4, 6), textcoords="offset points", ha="left", color=LIMIT, fontsize=9,
        )  # fmt: skip
        axes.annotate(
            f"memory at best {roof.bytes_per_s / 1e9:.0f} GB/s", (low, ys[0]),
            xytext=(12, 0), textcoords="offset points", color=LIMIT, fontsize=9,
        )  # fmt: skip
        tips = _scatter(axes, found)
        axes.set_xlim(low, high)
        bottom = min([low * roof.bytes_per_s, *(spot.rate for spot in found)])
        axes.set_ylim(bottom / 1e9 / 1.6, peak / 1e9 * 1.8)
        axes.set_xlabel("arithmetic intensity (FLOPs a byte)")
        axes.set_ylabel("GFLOP/s")
        named = {spot.label: spot for spot in found if spot.named}
        items = [(s.intensity, s.rate / 1e9, short(s.label, 26)) for s in named.values()]
        taken = [*((s.intensity, s.rate / 1e9) for s in found), *zip(xs, ys, strict=True)]
        label_points(axes, items[:30], taken)
        figure.legend(loc="upper left", bbox_to_anchor=(0.08, 1.0), ncols=3, handletextpad=0.3)
        text = f"Achieved speed of {len(found)} measurements under the machine's peaks"
        return to_svg(figure, _NAME, text, tips)


def _scatter(axes: object, found: Sequence[Spot]) -> dict[str, list[str]]:
    tips = {}
    targets = sorted({spot.target for spot in found})[: len(SERIES)]
    for number, target in enumerate(targets):
        group = [spot for spot in found if spot.target == target]
        axes.scatter(  # type: ignore[attr-defined]
            [spot.intensity for spot in group], [spot.rate / 1e9 for spot in group],
            marker=MARKERS[number], s=36, color=SERIES[number], alpha=0.8, linewidths=0,
            gid=f"roof{number}", label=shown(target, 60), zorder=3,
        )  # fmt: skip
        tips[f"roof{number}"] = [
            f"{short(spot.label, 60)}: {spot.rate / 1e9:.1f} GFLOP/s, {spot.share:.0%} of the roof"
            for spot in group
        ]
    return tips
