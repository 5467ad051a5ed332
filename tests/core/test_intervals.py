import numpy as np
import pytest

from profiler.core.intervals import median, rank, repeated_interval


@pytest.mark.parametrize(
    ("values", "centre", "half"),
    [
        # t(1) = 12.706, deviation sqrt(2): 12.706 x 1.41421 / sqrt(2).
        ([10.0, 12.0], 11.0, 12.706),
        # t(2) = 4.303, deviation 1: 4.303 x sqrt(pi / 2) / sqrt(3).
        ([9.0, 10.0, 11.0], 10.0, 3.11363),
        # t(4) = 2.776, deviation sqrt(2.5): 2.776 x sqrt(pi / 2) x 1.58114 / sqrt(5).
        ([1.0, 2.0, 3.0, 4.0, 5.0], 3.0, 2.46015),
    ],
)
def test_the_interval_of_a_few_processes_by_hand(values, centre, half):
    low, high = repeated_interval(values)
    assert (low + high) / 2 == pytest.approx(centre)
    assert (high - low) / 2 == pytest.approx(half, rel=1e-4)


@pytest.mark.parametrize("count", [2, 3, 4, 6, 12, 40])
def test_the_interval_covers_the_centre_of_normal_processes(count):
    rng = np.random.default_rng(count)
    inside = 0
    for _ in range(2000):
        low, high = repeated_interval(rng.normal(100, 2, count).tolist())
        inside += low <= 100 <= high
    assert 0.94 <= inside / 2000 <= 0.985


def test_ranks_and_medians():
    assert [rank([1, 2, 3, 4], q) for q in (25, 50, 75, 100)] == [1, 2, 3, 4]
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5
