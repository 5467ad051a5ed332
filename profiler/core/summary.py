"""Statistics of raw samples: the median, how sure it is, and whether to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from profiler.core.disturbance import Disturbance
from profiler.core.intervals import median, median_interval, rank, repeated_interval
from profiler.core.pace import clean, full_pace_ns
from profiler.core.selection import Block, Used, clean_or_all, used_samples

# Fewest samples for a percentile at 99 % confidence (MLPerf early stopping, LoadGen rules).
PERCENTILE_FLOORS = {50.0: 11, 75.0: 24, 90.0: 64, 95.0: 130, 99.0: 662, 99.9: 6636}


class Verdict(StrEnum):
    """Whether a latency can be used."""

    VALID = "valid"
    NOISY = "noisy"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Latency:
    """A latency with how sure it is.

    Unit: ns for one inference of the whole batch. `low_ns`..`high_ns` is the 95 % interval of the
    median; `percentiles` holds only those above their MLPerf floor. Quartiles and `mad_ns` (median
    absolute deviation) are of the samples that the median is made of. `pace_share` is the share of
    samples at full pace, None where it is unknown; `off_pace` says that they were too few to use.
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
    pace_share: float | None
    off_pace: bool
    q1_ns: float
    q3_ns: float
    mad_ns: float

    @property
    def half_width(self) -> float:
        """Half of the interval, relative to the median."""
        return (self.high_ns - self.low_ns) / 2 / self.median_ns

    def percentile(self, q: float) -> float | None:
        """The percentile in ns, or None below its floor."""
        return dict(self.percentiles).get(q)


def summarise(
    processes: Sequence[Sequence[Block]],
    disturbed: Sequence[Disturbance] = (),
    known_pace_ns: float | None = None,
    looks: int = 1,
) -> Latency:
    """Summarise the rounds of one or more processes; what disturbed them goes into the verdict.

    The estimate is the median of the processes' medians over samples at full pace (no involuntary
    context switch, no major page fault, the processor as fast as it can be). Its interval holds
    Student's interval over processes, because processes differ, and the order-statistic interval of
    the rounds. `known_pace_ns` is the full pace as earlier processes saw it, `looks` how many
    intervals are looked at before the last process (see `repeated_interval`).
    Raises: ValueError without any sample.
    Source: docs/measuring.md.
    """
    found = [[block for block in process if block.wall_ns] for process in processes]
    rounds = [block for process in found for block in process]
    if not rounds:
        raise ValueError("no samples")
    every = sorted(wall / b.runs_per_sample for b in rounds for wall in b.wall_ns)
    used = used_samples(found, full_pace_ns(rounds, known_pace_ns))
    by_round = [median(part) for process in used.processes for part in process if part]
    centre = median(used.medians)
    low, high = _interval(used, by_round, looks)
    if used.at_pace is not None and used.at_pace < min(len(found), 2):
        # What the model takes at full pace is hardly known: it lies between the fastest sample
        # and what it took here.
        low, high = min(low, every[0]), max(high, median(clean_or_all(rounds)))
    clean_share = sum(sum(clean(block)) for block in rounds) / len(every)
    seen = _Evidence(
        clean_share, (high - low) / 2 / centre, _drift(by_round), len(by_round), used.off_pace
    )
    verdict, reasons = _judge(seen, disturbed)
    samples = used.samples
    middle = median(samples)
    return Latency(
        median_ns=centre,
        low_ns=low,
        high_ns=high,
        min_ns=every[0],
        percentiles=tuple(
            (q, rank(every, q)) for q, floor in PERCENTILE_FLOORS.items() if len(every) >= floor
        ),
        samples=len(every),
        clean_share=clean_share,
        drift=seen.drift,
        verdict=verdict,
        reasons=reasons,
        pace_share=used.share,
        off_pace=used.off_pace,
        q1_ns=rank(samples, 25),
        q3_ns=rank(samples, 75),
        mad_ns=median([abs(value - middle) for value in samples]),
    )


def _interval(used: Used, by_round: Sequence[float], looks: int) -> tuple[float, float]:
    """Around the median of the processes; one process can only speak for itself."""
    centre = median(used.medians)
    low, high = median_interval(by_round)
    if len(used.medians) > 1:
        wider = repeated_interval(used.medians, looks)
        low, high = min(low, wider[0]), max(high, wider[1])
    return min(low, centre), max(high, centre)


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
    off_pace: bool


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
    if seen.off_pace:
        found.append(
            Disturbance(
                "the processor was hardly ever at its full pace (a neighbour of this virtual "
                "machine on the same core, or a lower clock)"
            )
        )
    found += disturbed
    reasons = tuple(one.text for one in sorted(found, key=lambda one: not one.fatal))
    if any(one.fatal for one in found):
        return Verdict.INVALID, reasons
    return (Verdict.NOISY if found else Verdict.VALID), reasons
