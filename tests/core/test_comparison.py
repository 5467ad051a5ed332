from dataclasses import dataclass
from math import exp, inf, log, log1p

import numpy as np
import pytest
from scipy.stats import wilcoxon

from profiler.core.comparison import (
    ENOUGH,
    Comparison,
    Decision,
    Pair,
    compare_apart,
    compare_pairs,
    decide,
    fails,
    shown_interval,
    sure_interval,
)
from profiler.core.resolution import resolvable
from profiler.core.summary import summarise


def pairs(logs, share=1.0):
    return [Pair(1e6, 1e6 * exp(value), share) for value in logs]


def noise(rng, count, size=0.015):
    """Heavy-tailed noise of a process, on a machine that slows down and recovers meanwhile."""
    drift = 0.05 * np.sin(np.linspace(0, rng.uniform(1, 20), 2 * count))
    medians = drift + size * rng.standard_t(3, 2 * count)
    first = rng.random(count) < 0.5
    one, other = medians[::2], medians[1::2]
    return np.where(first, one - other, other - one)


@pytest.mark.parametrize("count", [6, 10, 17, 30])
def test_the_interval_is_what_the_exact_signed_rank_test_does_not_reject(count):
    logs = np.random.default_rng(count).normal(0.01, 0.02, count)
    low, high = shown_interval(logs.tolist())

    def p(centre):
        return wilcoxon(logs - centre, method="exact").pvalue

    step = 1e-9
    assert p(low + step) > 0.05 >= p(low - step)
    assert p(high - step) > 0.05 >= p(high + step)


def test_critical_ranks_are_the_published_ones():
    # Critical value 8 of the signed rank test for 10 pairs, 5 %: the ninth average from each end.
    logs = [float(2**i) for i in range(10)]
    averages = sorted((a + b) / 2 for i, a in enumerate(logs) for b in logs[i:])
    assert shown_interval(logs) == (averages[8], averages[-9])


def test_ten_equal_signs_are_the_fewest_that_are_sure():
    assert sure_interval([0.1] * (ENOUGH - 1)) == (-inf, inf)
    assert decide([0.1 + i / 1000 for i in range(ENOUGH)]) is Decision.SLOWER
    assert decide([-0.1 - i / 1000 for i in range(ENOUGH)]) is Decision.FASTER
    assert decide([-0.1, *(0.1 + i / 1000 for i in range(ENOUGH - 1))]) is Decision.CANNOT_TELL


def test_equal_models_are_hardly_ever_called_different_on_a_drifting_machine():
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(1000):
        logs = noise(rng, 30).tolist()
        for seen in (10, 20, 30):
            decision = decide(logs[:seen])
            if decision is not Decision.CANNOT_TELL:
                break
        alarms += decision in (Decision.FASTER, Decision.SLOWER)
    assert alarms <= 10


def test_a_planted_slowdown_of_five_percent_is_found_in_spite_of_outliers():
    rng = np.random.default_rng(2)
    found = sum(
        decide((noise(rng, 30, 0.01) + log1p(0.05)).tolist()) is Decision.SLOWER for _ in range(200)
    )
    assert found >= 180


def test_same_needs_the_whole_interval_within_the_margin():
    logs = [0.001 * (-1) ** i for i in range(10)]
    found = compare_pairs(pairs(logs))
    assert found.decision is Decision.SAME
    assert found.reasons == ()
    assert found.low <= found.ratio <= found.high
    assert found.ratio == pytest.approx(1, abs=1e-3)
    assert compare_pairs(pairs(logs), same_within=0.0005).decision is Decision.CANNOT_TELL


def test_a_small_but_sure_difference_within_the_margin_is_the_same():
    logs = [0.01 + i / 1e5 for i in range(10)]
    assert decide(logs) is Decision.SAME
    assert decide(logs, same_within=0.005) is Decision.SLOWER


def test_disturbed_pairs_are_left_out():
    found = compare_pairs(pairs([0.0] * 10) + pairs([1.0] * 3, share=0.1))
    assert found.decision is Decision.SAME
    assert (found.pairs, found.disturbed) == (10, 3)
    assert "3 of 13" in found.reasons[0]


def test_from_disturbed_pairs_alone_only_a_large_difference_is_believed():
    assert compare_pairs(pairs([0.2] * 12, share=0.1)).decision is Decision.CANNOT_TELL
    assert compare_pairs(pairs([0.0] * 12, share=0.1)).decision is Decision.CANNOT_TELL
    found = compare_pairs(pairs([1.0] * 12, share=0.1))
    assert found.decision is Decision.SLOWER
    assert found.ratio == pytest.approx(exp(1))


def test_a_large_difference_is_believed_where_too_few_pairs_are_undisturbed_to_be_sure():
    found = compare_pairs(pairs([1.0] * 9) + pairs([1.1] * 11, share=0.1))
    assert found.decision is Decision.SLOWER
    assert (found.pairs, found.disturbed) == (9, 11)
    assert found.ratio == pytest.approx(exp(1))
    small = compare_pairs(pairs([0.2] * 9) + pairs([0.2] * 11, share=0.1))
    assert small.decision is Decision.CANNOT_TELL


def test_too_few_pairs_have_no_interval_and_no_decision():
    found = compare_pairs(pairs([0.5] * 5))
    assert found.decision is Decision.CANNOT_TELL
    assert (found.low, found.high) == (0.0, inf)


@dataclass
class Block:
    wall_ns: tuple
    switches: tuple
    runs_per_sample: int = 1

    pace_ns: tuple = ()

    @property
    def faults(self):
        return (0,) * len(self.wall_ns)


@dataclass
class Process:
    rounds: tuple


@dataclass
class Measured:
    attempts: tuple
    full_pace_ns: float | None = None

    @property
    def process_medians_ns(self):
        return [summarise([list(attempt.rounds)]).median_ns for attempt in self.attempts]

    @property
    def latency(self):
        return summarise([list(attempt.rounds) for attempt in self.attempts])


def measured(*centres, switched=0):
    return Measured(
        tuple(
            Process(
                tuple(Block((centre - 1000, centre, centre + 1000), (switched,) * 3) for _ in "abc")
            )
            for centre in centres
        )
    )


def test_results_measured_apart_are_told_by_their_extremes():
    # Deviations 4,082 and 8,165; half-widths 3.182 x 1.2533 x deviation / 2 = 8,141 and 16,282.
    base = measured(1_000_000, 1_005_000, 1_005_000, 1_010_000)
    new = measured(1_100_000, 1_110_000, 1_110_000, 1_120_000)
    slower = compare_apart(base, new)
    assert slower.decision is Decision.SLOWER
    assert slower.low == pytest.approx(1_093_718 / 1_013_141, rel=1e-5)
    assert slower.high == pytest.approx(1_126_282 / 996_859, rel=1e-5)
    assert slower.pairs is None
    assert compare_apart(new, base).decision is Decision.FASTER
    wide = measured(1_005_000, 1_030_000, 1_030_000, 1_050_000)
    assert compare_apart(base, wide).decision is Decision.CANNOT_TELL
    near = measured(1_001_000, 1_005_000, 1_005_000, 1_009_000)
    assert compare_apart(base, near).decision is Decision.SAME


def test_one_process_or_an_invalid_latency_cannot_tell():
    base = measured(1_000_000, 1_010_000)
    single = compare_apart(base, measured(2_000_000))
    assert single.decision is Decision.CANNOT_TELL
    assert "one process" in single.reasons[0]
    busy = compare_apart(base, measured(2_000_000, 2_000_000, switched=1))
    assert busy.decision is Decision.CANNOT_TELL
    assert "the new one is invalid" in busy.reasons[0]


@pytest.mark.parametrize(
    ("decision", "ratio", "high", "lenient", "strict"),
    [
        (Decision.SLOWER, 1.08, 1.10, True, True),
        (Decision.SLOWER, 1.03, 1.04, False, False),
        (Decision.SLOWER, 1.04, 1.07, False, True),
        (Decision.CANNOT_TELL, 1.08, 1.20, False, True),
        (Decision.CANNOT_TELL, 1.00, 1.04, False, False),
        (Decision.SAME, 1.00, 1.01, False, False),
        (Decision.FASTER, 0.80, 0.90, False, False),
    ],
)
def test_a_gate_fails_on_what_is_sure_and_strictly_on_what_cannot_be_ruled_out(
    decision, ratio, high, lenient, strict
):
    found = Comparison(decision, ratio, 0.9, high, 10)
    assert fails(found, 0.05) is lenient
    assert fails(found, 0.05, strict=True) is strict


def test_the_resolvable_difference_is_found_in_nine_of_ten_new_comparisons():
    rng = np.random.default_rng(3)
    smallest = resolvable(noise(rng, 400, 0.01).tolist(), 20)
    found = sum(
        decide((noise(rng, 20, 0.01) + log(1 + smallest)).tolist()) is Decision.SLOWER
        for _ in range(400)
    )
    assert 0.84 <= found / 400 <= 0.95


def test_more_pairs_resolve_smaller_differences_and_too_few_resolve_none():
    logs = noise(np.random.default_rng(4), 30).tolist()
    assert resolvable(logs, 30) < resolvable(logs, 10) < inf
    assert resolvable(logs, ENOUGH - 1) == inf
    assert resolvable([], 30) == inf
    assert resolvable(logs, 10) == resolvable(logs, 10)


def test_nothing_below_the_margin_is_resolvable():
    assert resolvable([0.0] * 10, 10, same_within=0.02) == pytest.approx(0.02)
