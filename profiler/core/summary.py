"""Statistics of raw samples: the median, how sure it is, and whether to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, comb
from typing import Protocol

from profiler.core.disturbance import Disturbance

# Fewest samples for a percentile at 99 % confidence (MLPerf early stopping, LoadGen rules).
PERCENTILE_FLOORS = {50.0: 11, 75.0: 24, 90.0: 64, 95.0: 130, 99.0: 662, 99.9: 6636}


class Verdict(StrEnum):
    """Whether a latency can be used."""

    VALID = "valid"
    NOISY = "noisy"
    INVALID = "invalid"


class Block(Protocol):
    """The part of a `Round` that statistics need."""

    @property
    def wall_ns(self) -> tuple[int, ...]:
        """Wall time of each sample."""
        ...

    @property
    def switches(self) -> tuple[int, ...]:
        """Involuntary context switches of each sample."""
        ...

    @property
    def faults(self) -> tuple[int, ...]:
        """Major page faults of each sample."""
        ...

    @property
    def runs_per_sample(self) -> int:
        """Inferences in one sample."""
        ...


@dataclass(frozen=True, slots=True)
class Latency:
    """A latency with how sure it is.

    Unit: ns for one inference of the whole batch. `low_ns`..`high_ns` is the 95 % interval of the
    median; `percentiles` holds only those above their MLPerf floor.
    """

    median_ns: float
    low_ns: float
    high_ns: float
    min_ns: float
    percentiles: tuple[tuple[float, float], ...]
    samples: int
    clean_share: float
    drift: float
    verdict: Verdict
    reasons: tuple[str, ...]

    @property
    def half_width(self) -> float:
        """Half of the interval, relative to the median."""
        return (self.high_ns - self.low_ns) / 2 / self.median_ns

    def percentile(self, q: float) -> float | None:
        """The percentile in ns, or None below its floor."""
        return dict(self.percentiles).get(q)


def summarise(
    processes: Sequence[Sequence[Block]], disturbed: Sequence[Disturbance] = ()
) -> Latency:
    """Summarise the rounds of one or more processes; what disturbed them goes into the verdict.

    The estimate is the median of round medians over clean samples (no involuntary context switch,
    no major page fault);
    its interval is the order-statistic interval of those round medians, so it covers what changes
    between rounds and processes and not only the spread inside one.
    Raises: ValueError without any sample.
    Source: docs/measuring.md; the interval is the order-statistic one (Hollander and Wolfe).
    """
    rounds = [block for process in processes for block in process if block.wall_ns]
    if not rounds:
        raise ValueError("no samples")
    every = sorted(wall / b.runs_per_sample for b in rounds for wall in b.wall_ns)
    clean = [_clean(block) for block in rounds]
    clean_share = sum(map(len, clean)) / len(every)
    medians = [median(part) for part in clean if part] or [median(_all(b)) for b in rounds]
    low, high = median_interval(medians)
    centre = median(medians)
    drift = _drift(medians)
    evidence = _Evidence(clean_share, (high - low) / 2 / centre, drift, len(medians))
    verdict, reasons = _judge(evidence, disturbed)
    return Latency(
        median_ns=centre,
        low_ns=low,
        high_ns=high,
        min_ns=every[0],
        percentiles=tuple(
            (q, _rank(every, q)) for q, floor in PERCENTILE_FLOORS.items() if len(every) >= floor
        ),
        samples=len(every),
        clean_share=clean_share,
        drift=drift,
        verdict=verdict,
        reasons=reasons,
    )


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two middle ones."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Order-statistic interval of the median, without an assumption on the distribution.

    Ranks are 6..15 of 20 and 40..61 of 100. Under six values the whole range is returned, which
    then covers less than 95 %.
    """
    ordered = sorted(values)
    n = len(ordered)
    tail, rank = 0.0, 0
    while rank < n // 2:
        tail += comb(n, rank) / 2**n
        if 2 * tail > 1 - confidence:
            break
        rank += 1
    rank = max(rank, 1)
    return ordered[rank - 1], ordered[n - rank]


def _clean(block: Block) -> list[float]:
    tagged = zip(block.wall_ns, block.switches, block.faults, strict=True)
    return [w / block.runs_per_sample for w, switches, faults in tagged if not switches | faults]


def _all(block: Block) -> list[float]:
    return [wall / block.runs_per_sample for wall in block.wall_ns]


def _rank(ordered: Sequence[float], percentile: float) -> float:
    return ordered[max(ceil(percentile / 100 * len(ordered)), 1) - 1]


def _drift(medians: Sequence[float]) -> float:
    third = len(medians) // 3
    if third == 0:
        return 0.0
    first, last = median(medians[:third]), median(medians[-third:])
    return (last - first) / first


@dataclass(frozen=True, slots=True)
class _Evidence:
    clean_share: float
    half_width: float
    drift: float
    rounds: int


def _judge(seen: _Evidence, disturbed: Sequence[Disturbance]) -> tuple[Verdict, tuple[str, ...]]:
    """Valid without a reason against it; invalid with one that leaves nothing to rely on."""
    few = Disturbance(
        f"only {seen.clean_share:.0%} of the samples ran undisturbed", seen.clean_share < 0.15
    )
    found = [few] if seen.clean_share < 0.5 else []
    if seen.half_width > 0.02:
        found.append(
            Disturbance(f"interval of the median is +-{seen.half_width:.1%}, wider than 2%")
        )
    if abs(seen.drift) > 0.02:
        found.append(Disturbance(f"latency drifted by {seen.drift:+.1%} from first to last rounds"))
    if seen.rounds < 6:
        found.append(Disturbance(f"{seen.rounds} rounds are too few for a 95% interval"))
    found += disturbed
    reasons = tuple(one.text for one in sorted(found, key=lambda one: not one.fatal))
    if any(one.fatal for one in found):
        return Verdict.INVALID, reasons
    return (Verdict.NOISY if found else Verdict.VALID), reasons
