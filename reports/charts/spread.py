"""How the samples of each measurement spread around their median."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

    The box holds the middle half of the undisturbed samples, the line 5 % to 95 % of them. Dots are
    samples, thinned evenly in the order they were taken, hollow where another process came between;
    what lies beyond the axis is counted at its edge.
    """
    shown = [s for s in subjects if s.measurement is not None and s.measurement.samples_ns]
    if not shown:
        return None
    values = [_relative(subject) for subject in shown]
    low, high = _range(values)
    with drawing(9.2, 0.9 + 0.36 * len(shown)) as figure:
        axes = figure.subplots()
        size = figure.get_figheight()
        figure.subplots_adjust(left=0.38, right=0.945, top=1 - 0.12 / size, bottom=0.55 / size)
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


def _line(axes: Any, line: int, samples: _Samples, low: float, high: float) -> None:
    p5, p25, p75, p95 = np.percentile(samples.judged, (5, 25, 75, 95))
    axes.plot([p5, p95], [line, line], color=INK, linewidth=1.0, zorder=2)
    axes.barh(line, p75 - p25, left=p25, height=0.44, color=INSIDE, alpha=0.45, zorder=2)
    _dots(axes, line, samples.clean, low, high, INSIDE)
    _dots(axes, line, samples.disturbed, low, high, "none")
    beyond = int((samples.all > high).sum())
    if beyond:
        axes.annotate(
            f"{beyond} ▸",
            (1.0, line),
            xycoords=("axes fraction", "data"),
            xytext=(34, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=8,
            color=MUTED,
            annotation_clip=False,
        )


def _dots(
    axes: Any, line: int, values: NDArray[np.float64], low: float, high: float, face: str
) -> None:
    dots = values[:: max(len(values) // _MOST_DOTS, 1)]
    # A fixed pattern keeps dots apart and is the same in every run.
    heights = line + 0.3 * ((np.arange(len(dots)) * 0.618) % 1 - 0.5)
    inside = (dots >= low) & (dots <= high)
    edge = MUTED if face == "none" else face
    axes.scatter(
        dots[inside], heights[inside], s=6, facecolors=face, edgecolors=edge, linewidths=0.5,
        alpha=0.75, zorder=3,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Samples:
    """Samples of a measurement in percent of its median, those without a context switch apart."""

    clean: NDArray[np.float64]
    disturbed: NDArray[np.float64]

    @property
    def all(self) -> NDArray[np.float64]:
        return np.concatenate([self.clean, self.disturbed])

    @property
    def judged(self) -> NDArray[np.float64]:
        """What the median was taken of: the clean ones, or all where there is none."""
        return self.clean if len(self.clean) else self.disturbed


def _relative(subject: Subject) -> _Samples:
    assert subject.measurement is not None
    measured = subject.measurement
    blocks = [block for attempt in measured.attempts for block in attempt.rounds]
    switched = np.array([n > 0 for block in blocks for n in block.switches], dtype=bool)
    values = np.array(measured.samples_ns)
    centre = subject.row.median_ns or float(np.median(values))
    percent = (values / centre - 1) * 100
    return _Samples(percent[~switched], percent[switched])


def _range(values: Sequence[_Samples]) -> tuple[float, float]:
    low = min(float(np.percentile(samples.judged, 1)) for samples in values)
    high = max(float(np.percentile(samples.judged, 95)) for samples in values)
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
