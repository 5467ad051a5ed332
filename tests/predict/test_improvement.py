"""The arithmetic that the default strategy rests on, against hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from nasprof.predict._normal import deviation, log_improvement, normal_scores
from nasprof.predict._predictor import LEVEL, Array, Bounded, Predicted
from nasprof.predict.gp import GaussianProcess, Posterior

HALF = float(ndtri((1 + LEVEL) / 2))


def _normal(mean: list[float], spread: list[float]) -> Predicted:
    middle, half = np.array(mean), HALF * np.array(spread)
    return Predicted(middle, middle - half, middle + half)


def test_expected_improvement_by_hand() -> None:
    """At the best itself s/sqrt(2 pi); one deviation above s(phi(1) + Phi(1)) = 1.0833 s."""
    found = np.exp(log_improvement(_normal([5.0, 6.0, 4.0, 7.0], [1.0, 1.0, 1.0, 2.0]), 5.0))
    np.testing.assert_allclose(found, [0.398942, 1.083316, 0.083316, 2 * 1.083316], rtol=1e-5)


def test_a_certain_prediction_improves_by_its_lead() -> None:
    found = np.exp(log_improvement(_normal([5.5, 4.5], [1e-9, 1e-9]), 5.0))
    np.testing.assert_allclose(found, [0.5, 0.0], atol=1e-9)


def test_normal_scores_keep_the_order_and_share_ties() -> None:
    found = normal_scores(np.array([0.1, 90.0, 50.0, 50.0]))
    np.testing.assert_allclose(found, ndtri([0.125, 0.875, 0.5, 0.5]))


def _fitted() -> tuple[Posterior, Array, Array, Array]:
    rng = np.random.default_rng(0)
    x, new = rng.random((30, 6)), rng.random((3000, 6))
    y = np.sin(3 * x[:, 0]) + x[:, 1] ** 2 + 0.05 * rng.normal(size=30)
    fitted = GaussianProcess().fit(x, y, 0)
    assert isinstance(fitted, Posterior)
    return fitted, x, y, new


def test_the_posterior_is_that_of_scikit_learn() -> None:
    fitted, x, y, new = _fitted()
    other = GaussianProcessRegressor(RBF(fitted.length), alpha=fitted.noise, optimizer=None)
    other.fit(x, (y - y.mean()) / y.std())
    mean, spread = other.predict(new, return_std=True)
    found = fitted.predict(new)
    np.testing.assert_allclose(found.mean, y.mean() + y.std() * mean, rtol=1e-6, atol=1e-8)
    half = fitted.factor * y.std() * np.sqrt(spread**2 + fitted.noise)
    np.testing.assert_allclose(found.high - found.mean, half, rtol=1e-6)


def test_length_and_noise_have_the_greatest_likelihood_of_the_grid() -> None:
    fitted, x, y, _ = _fitted()
    scaled = (y - y.mean()) / y.std()

    def likelihood(length: float, noise: float) -> float:
        kernel = RBF(length)(x) + noise * np.eye(len(x))
        variance = scaled @ np.linalg.solve(kernel, scaled) / len(x)
        return -len(x) * np.log(variance) - float(np.linalg.slogdet(kernel)[1])

    chosen = likelihood(fitted.length, fitted.noise)
    for length in fitted.length * np.array([0.5, 0.7, 1.0, 1.4, 2.0]):
        for noise in fitted.noise * np.array([0.1, 1.0, 10.0]):
            if 1e-4 <= noise <= 1:
                assert chosen >= likelihood(length, noise) - 0.5


def test_bounds_hold_what_they_bound() -> None:
    fitted, _, _, new = _fitted()
    assert isinstance(fitted, Bounded)
    exact, bounds = fitted.predict(new), fitted.bounds(new)
    np.testing.assert_allclose(bounds.mean, exact.mean, atol=1e-3)
    assert np.all(deviation(bounds) >= deviation(exact))


@pytest.mark.parametrize("count", [1, 1000, 1001])
def test_chunks_change_nothing(count: int) -> None:
    fitted, _, _, new = _fitted()
    whole = fitted.predict(new).mean[:count]
    np.testing.assert_allclose(fitted.predict(new[:count]).mean, whole, rtol=1e-9)
