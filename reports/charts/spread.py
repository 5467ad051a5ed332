"""How the samples of each measurement spread around their median."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.charts.svg import INK, INSIDE, MUTED, drawing, to_svg
from reports.gather import Subject
from reports.quantities import quantity, short

_NAME = "spread"
_MOST_DOTS = 60


def spread_chart(subjects: Sequence[Subject]) -> str | None:
    """Draw samples relative to their median, one line a measurement; None without samples.

    The box holds the middle half of the samples, the line 5 % to 95 %. Dots are samples, thinned
    evenly in the order they were taken; what lies beyond the axis is counted at its edge.
    """
    shown = [s for s in subjects if s.measurement is not None and s.measurement.samples_ns]
    if not shown:
        return None
    values = [_relative(subject) for subject in shown]
    low, high = _range(values)
    with drawing(9.2, 0.9 + 0.36 * len(shown)) as figure:
        axes = figure.subplots()
        size = figure.get_figheight()
        figure.subplots_adjust(left=0.38, right=0.97, top=1 - 0.12 / size, bottom=0.55 / size)
        axes.set_xlim(low, high)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_yticks(range(len(shown)), [_name(subject) for subject in shown])
        axes.tick_params(axis="y", length=0, labelsize=8)
        axes.grid(visible=False, axis="y")
        axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
        for line, samples in enumerate(values):
            _line(axes, line, samples, low, high)
        axes.set_xlabel("difference from the measurement's own median (%)")
        return to_svg(figure, _NAME, f"Spread of the samples of {len(shown)} measurements")


def _line(axes: Any, line: int, samples: NDArray[np.float64], low: float, high: float) -> None:
    p5, p25, p75, p95 = np.percentile(samples, (5, 25, 75, 95))
    axes.plot([p5, p95], [line, line], color=INK, linewidth=1.0, zorder=2)
    axes.barh(line, p75 - p25, left=p25, height=0.44, color=INSIDE, alpha=0.45, zorder=2)
    step = max(len(samples) // _MOST_DOTS, 1)
    dots = samples[::step]
    # A fixed pattern keeps dots apart and is the same in every run.
    heights = line + 0.3 * ((np.arange(len(dots)) * 0.618) % 1 - 0.5)
    inside = (dots >= low) & (dots <= high)
    axes.scatter(dots[inside], heights[inside], s=5, color=INSIDE, alpha=0.7, linewidths=0)
    beyond = int((samples > high).sum())
    if beyond:
        axes.annotate(
            f"{beyond} ▸",
            (1.0, line),
            xycoords=("axes fraction", "data"),
            xytext=(-1, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=8,
            color=MUTED,
        )


def _relative(subject: Subject) -> NDArray[np.float64]:
    assert subject.measurement is not None
    samples = np.array(subject.measurement.samples_ns)
    centre = subject.row.median_ns or float(np.median(samples))
    return (samples / centre - 1) * 100


def _range(values: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    low = min(float(np.percentile(samples, 1)) for samples in values)
    high = max(float(np.percentile(samples, 95)) for samples in values)
    low, high = max(low, -60.0), min(high * 1.25, 150.0)
    return min(low * 1.1, -2.0), max(high, 4.0)


def _name(subject: Subject) -> str:
    row = subject.row
    name = short(row.label, 24)
    if row.trial is not None:
        name = f"#{row.trial}{' again' if row.again else ''}"
    batch = f" ×{short(row.batch, 6)}" if row.batch not in (None, "1") else ""
    target = f"{short(row.runtime, 18)} {row.threads}t"
    return f"{name}{batch} · {target} · {quantity('latency', row.median_ns)}"
