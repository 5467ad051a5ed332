"""Costs of architectures from a handful of measurements, averaged over what they may depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import ndtri

from nasprof.predict._predictor import LEVEL, Array, Constant, Fitted, Predicted
from nasprof.predict._threads import one_thread

MIN_COSTS = 2
_WEIGHTS = (0.0, 0.3)
"""How much each group of features may matter, before the data."""
_NOISES = (0.001, 0.004, 0.015, 0.06)
"""Variance of the relative error of one measurement, in units of the kernel."""
_INTERACTIONS = 0.02
_CONSTANT = 10.0
_PRIOR = (2.0, 0.2)
"""Shape and rate of the inverse gamma prior of the kernel's variance, values scaled to mean 1."""
_WEIGHED = 40
"""Rows by which settings are weighed; more of them would not change which explain the data."""
_KEPT = ((_WEIGHED, 12), (2**31, 3))
"""Settings kept, up to a number of rows."""
_CHUNK = 2_000
_HALF_WIDTH = float(ndtri((1 + LEVEL) / 2))


@dataclass(frozen=True, slots=True)
class Setting:
    """One belief of the mixture, after the data.

    Shapes: weights [groups], alpha [n], inverse [n, n].
    """

    weights: Array
    noise: float
    share: float
    alpha: Array
    inverse: Array
    variance: float


@dataclass(frozen=True, slots=True)
class CostMixture:
    """Gaussian processes that add up costs of parts, averaged by how well they explain the data.

    Latency, energy and memory are nearly sums over operations, so the processes are linear in
    groups of features, plus a small interaction term; errors are relative. Which groups matter
    (operation counts, other devices' figures) can't be told from ten measurements: all combinations
    of weights and noises are averaged by the square root of their marginal likelihood, which keeps
    intervals honest. `widths` are the columns of each group; the last carries the interactions.
    Source: own; Bayesian model averaging over kernels.
    """

    widths: tuple[int, ...]

    def fit(self, x: Array, y: Array, seed: int = 0) -> Fitted:
        """Learn from rows; x [n, sum(widths)], y [n] above zero; the seed has nothing to decide."""
        if len(y) < MIN_COSTS:
            return Constant(float(np.mean(y)) if len(y) else 1.0)
        with one_thread():
            scale = float(np.mean(y))
            kernels = self.kernels(x, x)
            settings = _explain(kernels, y / scale, len(self.widths))
        return MixedCosts(self, x, scale, float(np.median(y / scale)), settings)

    def kernels(self, one: Array, other: Array) -> Array:
        """Kernels of all groups, and the interactions as the last; one [a, d], other [b, d]."""
        found, start = [], 0
        for width in self.widths:
            a, b = one[:, start : start + width], other[:, start : start + width]
            found.append(a @ b.T)
            start += width
        # After the linear part of the last group, its square: products of two features.
        found.append(found[-1] ** 2)
        return np.stack(found)


@dataclass(frozen=True, slots=True)
class MixedCosts:
    """The mixture after the data."""

    model: CostMixture
    x: Array
    scale: float
    centre: float
    settings: Sequence[Setting]

    def predict(self, x: Array) -> Predicted:
        """Predict rows of features; x [n, d]. Bounds stay above zero."""
        with one_thread():
            parts = [self._chunk(x[i : i + _CHUNK]) for i in range(0, len(x), _CHUNK)]
        mean = np.concatenate([part[0] for part in parts])
        half = _HALF_WIDTH * np.sqrt(np.concatenate([part[1] for part in parts]))
        floor = 0.02 * self.scale
        mean = np.maximum(mean, floor)
        return Predicted(mean, np.maximum(mean - half, floor / 2), mean + half)

    def _chunk(self, x: Array) -> tuple[Array, Array]:
        cross = self.model.kernels(x, self.x)
        own = _diagonals(x, self.model.widths)
        first, second = np.zeros(len(x)), np.zeros(len(x))
        for setting in self.settings:
            between = np.full(cross.shape[1:], _CONSTANT)
            for weight, kernel in zip(setting.weights, cross, strict=True):
                if weight > 0:
                    between += weight * kernel
            mean = between @ setting.alpha + self.centre
            known = np.einsum("nk,nk->n", between @ setting.inverse, between)
            latent = _CONSTANT + setting.weights @ own - known
            spread = (np.maximum(latent, 0.0) + setting.noise * mean**2) * setting.variance
            first += setting.share * mean
            second += setting.share * (spread + mean**2)
        return first * self.scale, np.maximum(second - first**2, 1e-12) * self.scale**2


def _diagonals(x: Array, widths: Sequence[int]) -> Array:
    ends = np.cumsum(widths)
    squares = [
        (x[:, end - width : end] ** 2).sum(axis=1) for width, end in zip(widths, ends, strict=True)
    ]
    return np.stack([*squares, squares[-1] ** 2])


def _explain(kernels: Array, y: Array, groups: int) -> list[Setting]:
    """Weigh every combination of weights and noise, keep the best; kernels [k, n, n], y [n]."""
    choices = product(*[_WEIGHTS] * groups, _NOISES)
    grid = np.array([choice for choice in choices if any(choice[:-1])])
    grid = np.insert(grid, groups, _INTERACTIONS, axis=1)
    rows = np.unique(np.linspace(0, len(y) - 1, min(len(y), _WEIGHED)).round().astype(int))
    evidence = _solve(grid, kernels[:, rows[:, None], rows], y[rows]).evidence
    share = np.exp(0.5 * (evidence - evidence.max()))
    most = next(count for up_to, count in _KEPT if len(y) <= up_to)
    kept = np.argsort(-share, kind="stable")[:most]
    solved = _solve(grid[kept], kernels, y)
    return [
        Setting(
            grid[i, :-1],
            float(grid[i, -1]),
            float(share[i] / share[kept].sum()),
            solved.alpha[place],
            solved.inverse[place],
            float(solved.variance[place]),
        )
        for place, i in enumerate(kept)
    ]


@dataclass(frozen=True, slots=True)
class _Solved:
    """Processes after the data; shapes: inverse [s, n, n], alpha [s, n], the others [s]."""

    inverse: Array
    alpha: Array
    variance: Array
    evidence: Array


def _solve(grid: Array, kernels: Array, y: Array) -> _Solved:
    centred = y - np.median(y)
    covariance = _CONSTANT + np.tensordot(grid[:, :-1], kernels, 1)
    # The small constant keeps a cost near zero from counting as known exactly.
    covariance += grid[:, -1, None, None] * np.diag(y**2 + 0.01)
    inverse = np.linalg.inv(covariance)
    alpha = np.asarray(inverse @ centred)
    shape, rate = _PRIOR[0] + len(y) / 2, _PRIOR[1] + alpha @ centred / 2
    evidence = -0.5 * np.linalg.slogdet(covariance)[1] - shape * np.log(rate)
    return _Solved(np.asarray(inverse), alpha, np.asarray(rate / (shape - 1)), evidence)
