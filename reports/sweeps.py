"""Sweeps over batch, threads and streams: the throughput, and where more stops to pay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from profiler.core.sweep import KNEE_SHARE, knee
from profiler.core.units import ms
from reports.quantities import short
from reports.rows import MARKS, Row

AXES = ("batch", "threads", "streams")


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of a sweep. Unit: `rate` is items a second, an item being one of the batch."""

    row: Row
    batch: int
    rate: float

    @property
    def threads(self) -> int:
        """Threads of each stream."""
        return self.row.threads

    @property
    def streams(self) -> int:
        """Instances that ran at once."""
        return self.row.streams


@dataclass(frozen=True, slots=True)
class Knee:
    """Where one axis stops to pay while the others stand still, as `fixed` says."""

    axis: str
    fixed: str
    at: int
    best: int
    share: float


def sweeps(rows: Iterable[Row]) -> list[tuple[Point, ...]]:
    """The measured settings of each model on each target that has several."""
    found: dict[tuple[str, ...], list[Point]] = {}
    for row in rows:
        if row.throughput_per_s is not None:
            batch = int(row.batch) if row.batch and row.batch.isdecimal() else 1
            key = (row.label, row.runtime, row.precision, row.options)
            rate = row.throughput_per_s * batch
            found.setdefault(key, []).append(Point(row, batch, rate))
    return [tuple(points) for points in found.values() if len(points) > 1]


def knees(points: Sequence[Point]) -> list[Knee]:
    """The knee of each axis, for each setting of the others."""
    return [each for axis in AXES for each in _along(axis, points)]


def sweep_text(rows: Iterable[Row]) -> str:
    """A table for each sweep and a sentence for each knee; empty without a sweep."""
    return "\n\n".join("\n".join(_lines(points)) for points in sweeps(rows))


def _lines(points: Sequence[Point]) -> Iterator[str]:
    row = points[0].row
    yield f"{short(row.label, 60)} on {row.runtime}/{row.precision}"
    cells = [
        (p.batch, p.threads, p.streams, _mark(p.row) + ms(p.row.median_ns or 0.0), f"{p.rate:.4g}")
        for p in points
    ]
    head = ("batch", "thr", "streams", "median ms", "items/s")
    yield tabulate(cells, head, colalign=("right",) * len(head), disable_numparse=True)
    for found in knees(points):
        yield (
            f"{found.axis}{found.fixed}: the knee is at {found.at}, with {found.share:.0%} of the "
            f"most (at {found.best}; a knee has {KNEE_SHARE:.0%} or more)"
        )


def _mark(row: Row) -> str:
    return MARKS.get(row.verdict, "")


def _along(axis: str, points: Sequence[Point]) -> Iterator[Knee]:
    others = tuple(name for name in AXES if name != axis)
    groups: dict[tuple[int, ...], dict[int, float]] = {}
    for point in points:
        place = tuple(getattr(point, name) for name in others)
        groups.setdefault(place, {})[getattr(point, axis)] = point.rate
    varied = [name for name in others if len({getattr(p, name) for p in points}) > 1]
    for place, rates in groups.items():
        if len(rates) < 2:
            continue
        sizes = dict(zip(others, place, strict=True))
        fixed = [f"{name} {sizes[name]}" for name in varied]
        best, at = max(rates, key=rates.__getitem__), knee(rates)
        yield Knee(
            axis, f" at {', '.join(fixed)}" if fixed else "", at, best, rates[at] / rates[best]
        )
