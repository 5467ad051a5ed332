from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.core.intervals import median_interval
from profiler.core.summary import PERCENTILE_FLOORS, Verdict, summarise


@dataclass
class Block:
    wall_ns: tuple
    switches: tuple
    runs_per_sample: int = 1

    pace_ns: tuple = ()

    @property
    def faults(self):
        return (0,) * len(self.wall_ns)


def blocks(rounds, spread=0.001, seed=0, centre=1e6, samples=30):
    rng = np.random.default_rng(seed)
    return [
        Block(tuple(rng.normal(centre, spread * centre, samples).astype(int)), (0,) * samples)
        for _ in range(rounds)
    ]


# Ranks published for the 95 % order-statistic interval of a median.
@pytest.mark.parametrize(
    ("n", "ranks"),
    [(20, (6, 15)), (30, (10, 21)), (50, (18, 33)), (100, (40, 61)), (400, (180, 221))],
)
def test_interval_ranks_are_the_published_ones(n, ranks):
    assert median_interval(list(range(1, n + 1))) == ranks


def test_the_interval_covers_the_true_median_about_95_times_in_100():
    rng = np.random.default_rng(7)
    inside = 0
    for _ in range(1000):
        low, high = median_interval(rng.lognormal(size=21).tolist())
        inside += low <= 1.0 <= high
    assert 930 <= inside <= 990


def test_percentiles_below_their_floor_are_not_given():
    latency = summarise([blocks(1, samples=63)])
    assert latency.percentile(90.0) is None
    latency = summarise([blocks(1, samples=64)])
    assert latency.percentile(90.0) is not None
    assert latency.percentile(95.0) is None
    assert PERCENTILE_FLOORS[99.0] == 662


def test_quiet_rounds_are_valid():
    latency = summarise([blocks(5), blocks(5, seed=1)])
    assert latency.verdict is Verdict.VALID
    assert latency.reasons == ()
    assert latency.low_ns <= latency.median_ns <= latency.high_ns
    assert latency.median_ns == pytest.approx(1e6, rel=1e-3)


def test_disturbed_samples_do_not_move_the_estimate():
    quiet = blocks(5) + blocks(5, seed=1)
    disturbed = [
        Block(
            tuple(wall * 3 if i % 3 == 0 else wall for i, wall in enumerate(block.wall_ns)),
            tuple(int(i % 3 == 0) for i in range(len(block.wall_ns))),
        )
        for block in quiet
    ]
    latency = summarise([disturbed])
    assert latency.median_ns == pytest.approx(1e6, rel=2e-3)
    assert latency.clean_share == pytest.approx(2 / 3)
    assert latency.verdict is Verdict.VALID


def test_hardly_any_clean_sample_is_invalid():
    block = Block((1_000_000,) * 100, (0,) * 10 + (1,) * 90)
    latency = summarise([[block] * 8])
    assert latency.verdict is Verdict.INVALID


def test_two_processes_that_disagree_are_noisy():
    latency = summarise([blocks(5), blocks(5, centre=1.1e6)])
    assert latency.verdict is Verdict.NOISY
    assert latency.half_width > 0.02


def test_a_slope_is_reported_as_drift():
    rounds = [blocks(1, centre=1e6 * (1 + 0.01 * i))[0] for i in range(10)]
    latency = summarise([rounds])
    assert latency.verdict is Verdict.NOISY
    assert any("drift" in reason for reason in latency.reasons)


def test_blocks_of_several_runs_count_one_run():
    block = Block((600_000,) * 40, (0,) * 40, runs_per_sample=300)
    assert summarise([[block] * 6]).median_ns == 2000


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=40))
def test_the_estimate_lies_inside_its_interval_and_the_samples(values):
    latency = summarise([[Block(tuple(values), (0,) * len(values))]])
    assert min(values) <= latency.low_ns <= latency.median_ns <= latency.high_ns <= max(values)


def test_no_samples_is_an_error():
    with pytest.raises(ValueError, match="no samples"):
        summarise([[]])
