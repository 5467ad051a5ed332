from __future__ import annotations

import numpy as np
import pytest

from nasprof.predict._domain import domain_of
from nasprof.predict._metrics import errors, spearman
from nasprof.predict._predictor import Predicted
from nasprof.predict._relative import (
    relative_least_squares,
    relative_nonnegative,
    weighted_sum,
)
from nasprof.predict._sum_of_parts import SumOfParts, fold_of


def test_errors_by_hand() -> None:
    truth = np.array([10.0, 20.0, 40.0, 50.0])
    mean = np.array([10.4, 18.4, 45.6, 30.0])  # off by 4, 8, 14 and 40 %
    found = errors(truth, Predicted(mean, mean - 1, mean + 2))
    assert found.rmspe == pytest.approx(100 * np.sqrt((0.0016 + 0.0064 + 0.0196 + 0.16) / 4))
    assert (found.within_5, found.within_10, found.within_15) == (0.25, 0.5, 0.75)
    assert found.rmse == pytest.approx(np.sqrt((0.16 + 2.56 + 31.36 + 400) / 4))
    assert found.rmse_over_mean == pytest.approx(found.rmse / 30)
    # Ranks 1 2 4 3: rho = 1 - 6 * 2 / (4 * 15), tau = (5 - 1) / 6.
    assert found.spearman == pytest.approx(0.8)
    assert found.kendall == pytest.approx(4 / 6)
    assert found.covered == 0.5  # 10 in 9.4..12.4, 20 in 17.4..20.4; 40 and 50 are out
    assert found.count == 4


def test_ties_share_a_rank_and_a_constant_has_none() -> None:
    assert spearman(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(
        0.8660254
    )
    assert np.isnan(spearman(np.ones(3), np.array([1.0, 2.0, 3.0])))


def test_six_coefficients_of_an_exact_sum_are_found() -> None:
    counts = np.random.default_rng(0).integers(0, 6, size=(12, 5)).astype(float)
    truth = np.array([1.7, 0.1, 0.2, 3.1, 0.05, 0.4])
    y = truth[0] + counts @ truth[1:]
    np.testing.assert_allclose(relative_least_squares(counts, y), truth, atol=1e-9)
    np.testing.assert_allclose(relative_nonnegative(counts, y), truth, atol=1e-6)


def test_no_part_saves_time_where_it_must_not() -> None:
    x = np.array([[0.0], [1.0], [2.0], [3.0]])
    y = np.array([4.0, 3.0, 2.0, 1.0])
    assert relative_least_squares(x, y)[1] < 0
    weights = relative_nonnegative(x, y)
    assert np.all(weights >= 0)
    assert np.all(weighted_sum(weights, x) > 0)


def test_the_domain_is_a_box_and_what_was_seen_together() -> None:
    x = np.random.default_rng(0).uniform(0, 1, size=(60, 1)) @ np.ones((1, 2))
    x[:, 1] += np.random.default_rng(1).uniform(-0.02, 0.02, size=60)
    domain = domain_of(x)
    assert domain.holds(x).all()
    inside, beyond, corner = [[0.5, 0.5]], [[1.6, 1.6]], [[0.95, 0.05]]
    assert domain.holds(np.array(inside)).tolist() == [True]
    assert domain.holds(np.array(beyond)).tolist() == [False]
    # Each value was seen, the two together were not.
    assert domain.holds(np.array(corner)).tolist() == [False]


def test_equal_architectures_share_a_fold() -> None:
    groups = np.repeat(np.arange(20), 3)
    fold = fold_of(groups, 0)
    assert all(len(set(fold[groups == group])) == 1 for group in range(20))
    assert set(fold) == set(range(5))


def _sums(seed: int, count: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 7, size=(count, 4)).astype(float)
    y = 1.0 + x @ [0.1, 0.5, 1.0, 2.0]
    return x, y * np.exp(noise * rng.normal(size=count))


@pytest.mark.parametrize("count", [15, 40, 100])
def test_conformal_intervals_cover_new_rows(count: int) -> None:
    covered = []
    for seed in range(6):
        x, y = _sums(seed, count, 0.1)
        new_x, new_y = _sums(1000 + seed, 300, 0.1)
        found = SumOfParts((4,)).fit(x, y, np.arange(count), seed).predict(new_x)
        assert np.all((found.low > 0) & (found.low <= found.mean) & (found.mean <= found.high))
        covered.append(np.mean((found.low <= new_y) & (new_y <= found.high)))
    assert 0.85 <= np.mean(covered) <= 0.99


def test_an_exact_sum_is_predicted_and_says_where_it_knows() -> None:
    x, y = _sums(0, 40, 0.0)
    model = SumOfParts((4,)).fit(x, y, np.arange(40), 0)
    new = np.array([[3.0, 3.0, 3.0, 3.0], [30.0, 3.0, 3.0, 3.0]])
    np.testing.assert_allclose(model.predict(new[:1]).mean, [11.8], rtol=0.02)
    assert model.in_domain(new).tolist() == [True, False]


def test_too_few_rows_are_refused() -> None:
    x, y = _sums(0, 7, 0.0)
    with pytest.raises(ValueError, match="7 rows"):
        SumOfParts((4,)).fit(x, y, np.arange(7), 0)
