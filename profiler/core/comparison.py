"""Whether one model is faster than another: decided from pairs of worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import exp, inf, log, log1p

from profiler.core.intervals import median
from profiler.core.outcome import Measurement, Outcome
from profiler.core.summary import Verdict, summarise

SHOWN = 0.95
"""Confidence of the interval that is shown, and that SAME asks for."""
SURE = 0.998
"""Confidence that FASTER and SLOWER ask for: more than is shown, because they are asked for at up
to three points of one comparison, and a false alarm costs a person's morning."""
ENOUGH = 10
"""Pairs from which a difference can be sure: with fewer, even equal signs in all are luck."""
FEWEST = 6
"""Pairs from which there is a 95 % interval at all."""
SAME_WITHIN = 0.02
DISTURBED = 0.25
"""What load on the machine alone can make of two models: one more busy process moved even the
undisturbed samples of a model by 23 %."""


class Decision(StrEnum):
    """What a comparison says of the new model."""

    FASTER = "FASTER"
    SLOWER = "SLOWER"
    SAME = "SAME"
    CANNOT_TELL = "CANNOT TELL"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Latency of the new model over that of the base, with its 95 % interval and the decision.

    `pairs` is the number of process pairs behind the figures (None: the two were not measured in
    pairs), `disturbed` how many had a process that was hardly ever undisturbed.
    """

    decision: Decision
    ratio: float
    low: float
    high: float
    pairs: int | None
    disturbed: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """The base and a new model with what was decided; None when one of them has no measurement."""

    base: Outcome
    new: Outcome
    comparison: Comparison | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """One process of each model, run one after the other.

    Unit: ns, the medians of the two processes; `clean_share` is that of the worse one, `off_pace`
    says that one of them hardly ever ran at full pace.
    """

    base_ns: float
    new_ns: float
    clean_share: float
    off_pace: bool = False

    @property
    def log_ratio(self) -> float:
        """Logarithm of new over base."""
        return log(self.new_ns / self.base_ns)

    @property
    def disturbed(self) -> bool:
        """Whether one of the two says little of its model: hardly undisturbed, or off pace."""
        return self.clean_share < 0.15 or self.off_pace


def pairs_of(base: Measurement, new: Measurement) -> tuple[Pair, ...]:
    """The processes of two measurements of one session, pass by pass."""
    paces = [m.full_pace_ns for m in (base, new) if m.full_pace_ns is not None]
    pace_ns = min(paces, default=None)
    found = []
    for one, other in zip(base.attempts, new.attempts, strict=False):
        left, right = (summarise([list(a.rounds)], (), pace_ns) for a in (one, other))
        share = min(left.clean_share, right.clean_share)
        off_pace = left.off_pace or right.off_pace
        found.append(Pair(left.median_ns, right.median_ns, share, off_pace))
    return tuple(found)


def compare_pairs(pairs: Sequence[Pair], same_within: float = SAME_WITHIN) -> Comparison:
    """Decide from pairs whose order was random.

    The ratio is the Hodges-Lehmann estimate of the pairs' log ratios and its interval that of
    Wilcoxon's signed ranks. The random order makes the differences of equal models symmetric,
    whatever the machine does, so false alarms are as rare as the confidence says. SAME means that
    the whole interval is within `same_within`; FASTER and SLOWER that 1 is outside at `SURE`.
    Disturbed pairs are left out. Over all pairs, disturbed ones too, a difference that is surely
    beyond `DISTURBED` is taken for one of the models; where fewer than `FEWEST` are undisturbed,
    it is the only one.
    Raises: ValueError without any pair.
    Source: Hollander and Wolfe, "Nonparametric Statistical Methods", signed rank procedures.
    """
    if not pairs:
        raise ValueError("no pairs")
    clean = [pair.log_ratio for pair in pairs if not pair.disturbed]
    disturbed, trusted = len(pairs) - len(clean), len(clean) >= FEWEST
    logs = clean if trusted else [pair.log_ratio for pair in pairs]
    averages = walsh_averages(logs)
    low, high = _interval(averages, len(logs), SHOWN)
    decision = decide(logs, same_within) if trusted else Decision.CANNOT_TELL
    if decision is Decision.CANNOT_TELL:
        decision = _decide_disturbed([pair.log_ratio for pair in pairs])
    reasons = [f"{disturbed} of {len(pairs)} pairs were disturbed"] if disturbed else []
    if not trusted:
        reasons.append(f"so only differences beyond {DISTURBED:.0%} are sure")
    elif decision is Decision.CANNOT_TELL:
        reasons.append(_why(low, high, len(clean)))
    return Comparison(
        decision, exp(median(averages)), exp(low), exp(high), len(logs), disturbed, tuple(reasons)
    )


def decide(logs: Sequence[float], same_within: float = SAME_WITHIN) -> Decision:
    """The decision from log ratios of undisturbed pairs."""
    margin = log1p(same_within)
    low, high = shown_interval(logs)
    if -margin <= low and high <= margin:
        return Decision.SAME
    return _direction(logs, 0.0)


def _decide_disturbed(logs: Sequence[float]) -> Decision:
    return _direction(logs, log1p(DISTURBED))


def _direction(logs: Sequence[float], beyond: float) -> Decision:
    low, high = sure_interval(logs)
    if low > beyond:
        return Decision.SLOWER
    return Decision.FASTER if high < -beyond else Decision.CANNOT_TELL


def compare_apart(
    base: Measurement, new: Measurement, same_within: float = SAME_WITHIN
) -> Comparison:
    """Decide from two measurements that were not made in pairs.

    The interval is the worst case of both: it ends where the fastest of one meets the slowest of
    the other, over their intervals and the medians of their processes. So it is wider than 95 %.
    """
    one, other = base.latency, new.latency
    base_low, base_high = _extremes(base)
    new_low, new_high = _extremes(new)
    low, high = new_low / base_high, new_high / base_low
    reasons = [
        f"{name} is invalid: {'; '.join(latency.reasons)}"
        for name, latency in (("the base", one), ("the new one", other))
        if latency.verdict is Verdict.INVALID
    ]
    if min(len(base.attempts), len(new.attempts)) < 2:
        reasons.append("one process each says nothing of the difference between processes")
    decision = Decision.CANNOT_TELL
    if not reasons:
        margin = 1 + same_within
        if 1 / margin <= low and high <= margin:
            decision = Decision.SAME
        elif low > 1 or high < 1:
            decision = Decision.SLOWER if low > 1 else Decision.FASTER
        else:
            reasons.append("the intervals of the two overlap")
    ratio = other.median_ns / one.median_ns
    return Comparison(decision, ratio, low, high, None, 0, tuple(reasons))


def fails(comparison: Comparison, above: float, strict: bool = False) -> bool:
    """Whether a gate that allows a slowdown of `above` should fail.

    It fails on a sure slowdown whose ratio is above the allowed one; a noisy machine gives "cannot
    tell" and passes. `strict` also fails where the interval can't rule such a slowdown out.
    """
    if comparison.decision in (Decision.FASTER, Decision.SAME):
        return False
    sure = comparison.decision is Decision.SLOWER and comparison.ratio > 1 + above
    return sure or (strict and comparison.high > 1 + above)


def walsh_averages(values: Sequence[float]) -> list[float]:
    """The means of all pairs of values, each value with itself too, in order."""
    return sorted(
        (values[i] + values[j]) / 2 for i in range(len(values)) for j in range(i, len(values))
    )


def sure_interval(values: Sequence[float]) -> tuple[float, float]:
    """The interval of the values' centre at `SURE`; infinite for too few values."""
    return _interval(walsh_averages(values), len(values), SURE)


def shown_interval(values: Sequence[float]) -> tuple[float, float]:
    """The interval of the values' centre at `SHOWN`; infinite for too few values."""
    return _interval(walsh_averages(values), len(values), SHOWN)


def _interval(averages: Sequence[float], count: int, confidence: float) -> tuple[float, float]:
    rank = _rank(count, confidence)
    return (-inf, inf) if rank == 0 else (averages[rank - 1], averages[-rank])


@cache
def _rank(count: int, confidence: float) -> int:
    """The largest rank of an average whose tail is small enough; 0 when there is none."""
    ways = [1]
    for number in range(1, count + 1):
        # Rank sums of the numbers up to this one: each is added or not.
        grown = ways + [0] * number
        for total, found in enumerate(ways):
            grown[total + number] += found
        ways = grown
    tail, rank = 0, 0
    while (tail + ways[rank]) / 2**count <= (1 - confidence) / 2:
        tail += ways[rank]
        rank += 1
    return rank


def _extremes(found: Measurement) -> tuple[float, float]:
    latency = found.latency
    medians = found.process_medians_ns
    return min(latency.low_ns, *medians), max(latency.high_ns, *medians)


def _why(low: float, high: float, pairs: int) -> str:
    if low <= 0 <= high:
        return f"after {pairs} pairs the interval holds both no difference and one that matters"
    few = f" ({ENOUGH} are the fewest)" if pairs < ENOUGH else ""
    return f"the difference is not sure at {SURE:.1%} after {pairs} pairs{few}"
