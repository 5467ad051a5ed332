"""A Gaussian process and two kinds of trees, averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor

from nasprof.predict._normal import deviation
from nasprof.predict._predictor import (
    MIN_ROWS,
    Array,
    Constant,
    Fitted,
    Predicted,
    residual_quantile,
)
from nasprof.predict._threads import one_thread
from nasprof.predict.gp_ard import ArdGaussianProcess

_WEIGHTS = np.array([0.5, 0.25, 0.25])


@dataclass(frozen=True, slots=True)
class _Members:
    """The process, boosted trees and random trees after the same rows."""

    process: Fitted
    trees: tuple[HistGradientBoostingRegressor, ExtraTreesRegressor]

    def predict(self, x: Array) -> tuple[Array, Array]:
        """Mean of the members, and the deviation that the process gives; x [n, d]."""
        found = self.process.predict(x)
        with one_thread():
            means = np.stack([found.mean, *[trees.predict(x) for trees in self.trees]])
        return _WEIGHTS @ means, deviation(found)


@dataclass(frozen=True, slots=True)
class _Fitted:
    members: _Members
    factor: float

    def predict(self, x: Array) -> Predicted:
        """Predict rows of features; x [n, d]."""
        mean, spread = self.members.predict(x)
        return Predicted(mean, mean - self.factor * spread, mean + self.factor * spread)


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Half a Gaussian process with a length scale a feature, half trees.

    Where the process has the shape wrong the trees are often right, and the other way round.
    Source: own; figures: benchmarks/ncp.py.
    """

    name: str = "ensemble"
    intervals: str = (
        "the process's deviation times the quantile of the standardised residuals on a fifth of "
        "the rows, which a first fit was not given"
    )

    def fit(self, x: Array, y: Array, seed: int) -> Fitted:
        """Learn from rows; x [n, d], y [n]."""
        if len(y) < MIN_ROWS:
            return Constant(float(np.mean(y)) if len(y) else 0.0)
        order = np.random.default_rng(seed).permutation(len(y))
        left_out, rows = np.split(order, [int(np.ceil(0.2 * len(y)))])
        mean, spread = _members(x[rows], y[rows], seed).predict(x[left_out])
        return _Fitted(_members(x, y, seed), residual_quantile((y[left_out] - mean) / spread))


def _members(x: Array, y: Array, seed: int) -> _Members:
    trees = (
        HistGradientBoostingRegressor(
            max_iter=300, learning_rate=0.04, max_leaf_nodes=12, l2_regularization=1.0,
            random_state=seed,
        ),
        ExtraTreesRegressor(300, min_samples_leaf=2, max_features=0.5, random_state=seed),
    )  # fmt: skip
    with one_thread():
        for part in trees:
            part.fit(x, y)
    return _Members(ArdGaussianProcess().fit(x, y, seed), trees)


PLUGIN = Ensemble()
