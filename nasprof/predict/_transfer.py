"""Costs on a new device from a handful of measurements and what other devices are known to take.

For strategies: `Transfer(basis.widths)` has the interface of `_cost_mixture.CostMixture`, fit(x, y)
and predict(x), on the rows that `_transfer_basis.TransferBasis.rows` makes of candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from nasprof.predict._predictor import LEVEL, Array, Constant, Fitted, Predicted
from nasprof.predict._threads import one_thread

MIN_ROWS_NEW = 2
_NOISES = (1e-6, 1e-5, 1e-4, 4e-4, 1.6e-3, 6.4e-3, 2.5e-2)
"""Variance of the relative error of one measurement."""
_LEVEL_WEIGHT = 100.0
_SIMPLE_SHARE = 10.0
"""How much more a belief in which only counts matter is believed before the data."""
_DESIGN = (_LEVEL_WEIGHT, 0.3, 0.5, 0.1, 0.03, 0.005, 0.0005)
"""Weights of the groups by which measurements are chosen: a middle of the beliefs below."""
_DESIGN_NOISE = 2e-3
_TEMPER = 0.5
"""Power of the marginal likelihood: the beliefs are few and all wrong, so none may rule."""
_PRIOR = (2.0, 2.0)
"""Shape and rate of the inverse gamma prior of the scale of all variances."""
_WEIGHED = 40
_KEPT = 60
_MOST_ROWS = 400
_CHUNK = 20_000
_HALF_WIDTH = float(ndtri((1 + LEVEL) / 2))

GROUPS = ("level", "offset", "devices by counts", "devices beyond", "plain", "live", "genes")
"""The groups of columns of a row, in order; the first is the cost elsewhere, above zero."""


@dataclass(frozen=True, slots=True)
class _Belief:
    """One setting of the mixture after the data; shapes: weights [groups], alpha [n]."""

    weights: Array
    noise: float
    share: float
    alpha: Array
    inverse: Array
    variance: float


@dataclass(frozen=True, slots=True)
class Transfer:
    """Bayesian linear transfer between devices with relative errors.

    A device's cost is that of the known devices' mean (`level`) times a factor, plus deviations: an
    offset, how known devices differ from their mean as far as counts of operations explain it and
    beyond that, counts with and without dead operations, single genes. How much each may matter and
    how noisy the device is can't be told from ten measurements, so all combinations are averaged by
    the square root of their marginal likelihood. `widths` are the columns of `GROUPS`.
    Source: own; Bayesian model averaging over linear kernels.
    """

    widths: tuple[int, ...]

    def fit(self, x: Array, y: Array, seed: int = 0) -> Fitted:
        """Learn from rows; x [n, sum(widths)], y [n] above zero; the seed has nothing to decide."""
        if len(y) < MIN_ROWS_NEW:
            return Constant(float(np.mean(y)) if len(y) else 1.0)
        if len(y) > _MOST_ROWS:
            kept = np.linspace(0, len(y) - 1, _MOST_ROWS).round().astype(int)
            x, y = x[kept], y[kept]
        level, groups = _whitened(x, self.widths)
        ratio = y / level
        scale = float(np.median(ratio))
        with one_thread():
            kernels = np.stack([group @ group.T for group in groups])
            beliefs = _explain(kernels, ratio / scale - 1.0)
        return TransferredCosts(self, groups, scale, beliefs)

    def choose(self, x: Array, count: int, taken: Sequence[int] = ()) -> list[int]:
        """Rows to measure next: each takes away most of the variance that is left in all rows.

        Shapes: x [n, sum(widths)]; `taken` are rows measured already. Unit: relative variance.
        Source: the greedy form of A-optimal design for a linear model.
        """
        _, groups = _whitened(x, self.widths)
        weighted = [np.sqrt(w) * group for w, group in zip(_DESIGN, groups, strict=True)]
        joined = np.concatenate(weighted, axis=1)
        chosen = list(taken)
        with one_thread():
            moments, belief = joined.T @ joined, np.eye(joined.shape[1])
            for row in taken:
                belief = _learnt(belief, joined[row])
            while len(chosen) < min(count + len(taken), len(x)):
                ahead = joined @ belief
                # What a measurement of each row takes away from the variance of all rows.
                gain = ((ahead @ moments) * ahead).sum(axis=1)
                gain /= (ahead * joined).sum(axis=1) + _DESIGN_NOISE
                gain[chosen] = -1.0
                chosen.append(int(np.argmax(gain)))
                belief = _learnt(belief, joined[chosen[-1]])
        return chosen[len(taken) :]


@dataclass(frozen=True, slots=True)
class TransferredCosts:
    """The mixture after the data."""

    model: Transfer
    groups: Sequence[Array]
    scale: float
    beliefs: Sequence[_Belief]

    def predict(self, x: Array) -> Predicted:
        """Predict rows of features; x [n, d]. Bounds stay above zero."""
        with one_thread():
            parts = [self._chunk(x[i : i + _CHUNK]) for i in range(0, max(len(x), 1), _CHUNK)]
        mean = np.concatenate([part[0] for part in parts])
        half = _HALF_WIDTH * np.concatenate([part[1] for part in parts])
        level = x[:, 0] * self.scale
        mean = np.maximum(mean, 0.02)
        return Predicted(
            mean * level, np.maximum(mean - half, 0.01 * mean) * level, (mean + half) * level
        )

    def _chunk(self, x: Array) -> tuple[Array, Array]:
        _, groups = _whitened(x, self.model.widths)
        pairs = list(zip(groups, self.groups, strict=True))
        cross = np.stack([new @ old.T for new, old in pairs])
        own = np.stack([(new**2).sum(axis=1) for new, _ in pairs])
        first, second = np.zeros(len(x)), np.zeros(len(x))
        for belief in self.beliefs:
            between = np.tensordot(belief.weights, cross, 1)
            mean = between @ belief.alpha + 1.0
            known = np.einsum("nk,nk->n", between @ belief.inverse, between)
            latent = np.maximum(belief.weights @ own - known, 0.0)
            spread = (latent + belief.noise * mean**2) * belief.variance
            first += belief.share * mean
            second += belief.share * (spread + mean**2)
        return first, np.sqrt(np.maximum(second - first**2, 1e-12))


def _whitened(x: Array, widths: Sequence[int]) -> tuple[Array, list[Array]]:
    """The level, and all groups relative to it."""
    level = x[:, 0]
    ends = np.cumsum(widths)
    starts = ends - np.asarray(widths)
    return level, [x[:, a:b] / level[:, None] for a, b in zip(starts, ends, strict=True)]


def _learnt(belief: Array, row: Array) -> Array:
    """Covariance of the weights after one more measurement; belief [d, d], row [d]."""
    ahead = belief @ row
    return np.asarray(belief - np.outer(ahead, ahead) / (row @ ahead + _DESIGN_NOISE))


@cache
def _beliefs() -> tuple[Array, Array]:
    """All combinations of weights, noise last, and the prior share of each."""
    level = (_LEVEL_WEIGHT,)
    every = product(
        level, (0.03, 0.3), (0.3, 1.5), (0.1, 0.6), (0.0, 0.01), (0.0, 0.01), (0.0, 0.001), _NOISES
    )
    simple = product(
        level, (0.03, 0.3), (0.3, 1.5), (0.0,), (0.01, 0.1), (0.0,), (0.0,), _NOISES
    )  # fmt: skip
    first, second = np.array(list(every)), np.array(list(simple))
    share = np.concatenate([np.ones(len(first)), np.full(len(second), _SIMPLE_SHARE)])
    return np.concatenate([first, second]), share


def _explain(kernels: Array, deviation: Array) -> list[_Belief]:
    """Weigh every belief by the data and keep the best; kernels [groups, n, n], deviation [n]."""
    grid, prior = _beliefs()
    count = len(deviation)
    rows = np.unique(np.linspace(0, count - 1, min(count, _WEIGHED)).round().astype(int))
    evidence = _solve(grid, kernels[:, rows[:, None], rows], deviation[rows])[3]
    share = prior * np.exp(_TEMPER * (evidence - evidence.max()))
    # Fewer where each takes longer: the share of those left out is small anyway.
    most = max(10, min(_KEPT, 20_000 // count**2 * 10))
    kept = np.argsort(-share, kind="stable")[:most]
    inverse, alpha, variance, _ = _solve(grid[kept], kernels, deviation)
    total = share[kept].sum()
    return [
        _Belief(
            grid[i, :-1],
            float(grid[i, -1]),
            float(share[i] / total),
            alpha[k],
            inverse[k],
            float(variance[k]),
        )
        for k, i in enumerate(kept)
    ]


def _solve(
    grid: Array, kernels: Array, deviation: NDArray[np.float64]
) -> tuple[Array, Array, Array, Array]:
    """Inverse covariances [s, n, n], alpha [s, n], scale of variance [s], log evidence [s]."""
    covariance = np.tensordot(grid[:, :-1], kernels, 1)
    covariance += grid[:, -1, None, None] * np.eye(len(deviation))
    inverse = np.asarray(np.linalg.inv(covariance))
    alpha = inverse @ deviation
    shape, rate = _PRIOR[0] + len(deviation) / 2, _PRIOR[1] + alpha @ deviation / 2
    evidence = -0.5 * np.linalg.slogdet(covariance)[1] - shape * np.log(rate)
    return (
        np.asarray(inverse),
        np.asarray(alpha),
        np.asarray(rate / (shape - 1)),
        np.asarray(evidence),
    )
