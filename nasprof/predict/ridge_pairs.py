"""Ridge regression on the features and all products of two of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasprof.predict._predictor import (
    MIN_ROWS,
    Array,
    Constant,
    Fitted,
    Predicted,
    residual_quantile,
)
from nasprof.predict._threads import one_thread

_PENALTIES = np.logspace(-2, 3, 11)
_CONSTANT = 1e-9
"""Deviation up to which a column is constant but for rounding."""


@dataclass(frozen=True, slots=True)
class QuadraticForm:
    """The fitted function offset + w.x + x'Wx, with the width of its interval.

    Shapes: linear [d], pairs [d, d] above the diagonal.
    """

    offset: float
    linear: Array
    pairs: Array
    half_width: float

    def predict(self, x: Array) -> Predicted:
        """Predict rows of features; x [n, d]."""
        mean = self.offset + x @ self.linear + np.einsum("nd,nd->n", x @ self.pairs, x)
        return Predicted(mean, mean - self.half_width, mean + self.half_width)


@dataclass(frozen=True, slots=True)
class RidgePairs:
    """Additive effects and pairwise interactions; on one-hot genes: which choices go together.

    The penalty is the one with the least leave-one-out error, which a ridge has in closed form.
    """

    name: str = "ridge-pairs"
    intervals: str = "quantile of the leave-one-out residuals, the same width everywhere"

    def fit(self, x: Array, y: Array, seed: int) -> Fitted:
        """Learn from rows; x [n, d], y [n]; the seed has nothing to decide."""
        if len(y) < MIN_ROWS:
            return Constant(float(np.mean(y)) if len(y) else 0.0)
        first, second = np.triu_indices(x.shape[1], k=1)
        rows = np.concatenate([x, x[:, first] * x[:, second]], axis=1)
        centre, mean = rows.mean(axis=0), float(y.mean())
        used = np.flatnonzero(rows.std(axis=0) > _CONSTANT)
        weights = np.zeros(rows.shape[1])
        with one_thread():
            weights[used], residuals = _ridge(rows[:, used] - centre[used], y - mean)
        pairs = np.zeros((x.shape[1], x.shape[1]))
        pairs[first, second] = weights[x.shape[1] :]
        offset = mean - float(centre @ weights)
        return QuadraticForm(offset, weights[: x.shape[1]], pairs, residual_quantile(residuals))


def _ridge(rows: Array, y: Array) -> tuple[Array, Array]:
    """Weights at the best penalty, and the leave-one-out residuals; rows and y are centred."""
    left, squares = _axes(rows)
    inner = left.T @ y
    best: tuple[float, Array, Array] | None = None
    for penalty in _PENALTIES:
        shrink = squares / (squares + penalty)
        # 1/n is the leverage of the mean that was taken out of rows and y.
        leverage = (left**2) @ shrink + 1 / len(y)
        residuals = (y - left @ (shrink * inner)) / np.maximum(1 - leverage, 1e-9)
        error = float(np.mean(residuals**2))
        if best is None or error < best[0]:
            # As left @ diag(squares) @ left.T is rows @ rows.T, without the right singular vectors.
            weights = rows.T @ (left @ (inner / (squares + penalty)))
            best = (error, weights, residuals)
    assert best is not None
    return best[1], best[2]


def _axes(rows: Array) -> tuple[Array, Array]:
    """Left singular vectors and squared singular values.

    With fewer rows than columns from the products of rows: LAPACK's singular value decomposition
    was seen not to converge on products of one-hot features.
    """
    if len(rows) > rows.shape[1]:
        left, sizes, _ = np.linalg.svd(rows, full_matrices=False)
        return left, sizes**2
    values, left = np.linalg.eigh(rows @ rows.T)
    return left, np.maximum(values, 0.0)


PLUGIN = RidgePairs()
