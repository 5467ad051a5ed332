import numpy as np
import pytest

from profiler.core.intervals import median, rank, repeated_interval, student_quantile


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
    assert (high - low) / 2 == pytest.approx(half, rel=2e-4)


@pytest.mark.parametrize("count", [2, 3, 4, 6, 12, 40])
def test_the_interval_covers_the_centre_of_normal_processes(count):
    rng = np.random.default_rng(count)
    inside = 0
    for _ in range(2000):
        low, high = repeated_interval(rng.normal(100, 2, count).tolist())
        inside += low <= 100 <= high
    assert 0.94 <= inside / 2000 <= 0.985


@pytest.mark.parametrize(
    ("freedom", "confidence", "quantile"),
    # A published table of Student's t.
    [(1, 0.95, 12.706), (2, 0.95, 4.303), (3, 0.99, 5.841), (4, 0.9, 2.132), (5, 0.998, 5.893),
     (10, 0.95, 2.228), (30, 0.95, 2.042), (120, 0.95, 1.980)],
)  # fmt: skip
def test_quantiles_are_those_of_the_tables(freedom, confidence, quantile):
    assert student_quantile(freedom, confidence) == pytest.approx(quantile, abs=6e-4)


def test_each_look_has_its_part_of_the_error():
    # t(2) at 1 - 0.0182, the part of each of four looks: 7.311 beside 4.303.
    low, high = repeated_interval([9.0, 10.0, 11.0], looks=4)
    once = repeated_interval([9.0, 10.0, 11.0])
    assert (high - low) / (once[1] - once[0]) == pytest.approx(7.311 / 4.303, abs=2e-3)


@pytest.mark.parametrize("wanted", [1.0, 1.5])
def test_stopping_where_values_agree_by_luck_leaves_95_percent(wanted):
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(2000):
        values = rng.normal(100, 1, 6).tolist()
        for count in (3, 4, 5, 6):
            low, high = repeated_interval(values[:count], looks=4)
            if high - low <= 2 * wanted:
                break
        inside += low <= 100 <= high
    assert 0.95 <= inside / 2000 <= 0.99


def test_ranks_and_medians():
    assert [rank([1, 2, 3, 4], q) for q in (25, 50, 75, 100)] == [1, 2, 3, 4]
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5
