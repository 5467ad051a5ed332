"""A Gaussian process."""

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

_LENGTHS = np.array([0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0])
_NOISES = np.logspace(-4, 0, 9)
_CHUNK = 20_000


@dataclass(frozen=True, slots=True)
class Posterior:
    """The process after the data; `factor` turns a posterior deviation into half an interval.

    Shapes: x [n, d], weights [n], inverse [n, n].
    """

    x: Array
    length: float
    weights: Array
    inverse: Array
    noise: float
    centre: float
    scale: float
    factor: float

    def predict(self, x: Array) -> Predicted:
        """Predict rows of features; x [n, d]."""
        with one_thread():
            parts = [self._chunk(x[i : i + _CHUNK]) for i in range(0, len(x), _CHUNK)]
        mean = self.centre + self.scale * np.concatenate([part[0] for part in parts])
        half = self.factor * self.scale * np.concatenate([part[1] for part in parts])
        return Predicted(mean, mean - half, mean + half)

    def _chunk(self, x: Array) -> tuple[Array, Array]:
        cross = _kernel(x, self.x, self.length)
        known = np.einsum("nk,nk->n", cross @ self.inverse, cross)
        return cross @ self.weights, np.sqrt(np.maximum(1 + self.noise - known, 1e-12))


@dataclass(frozen=True, slots=True)
class GaussianProcess:
    """Kernel exp(-squared distance / (2 length^2)): on one-hot genes, of how many genes differ.

    Length and noise are those of the greatest marginal likelihood on a grid. More than `max_rows`
    rows are thinned at random by the seed, because the cost grows with their cube.
    """

    name: str = "gp"
    intervals: str = (
        "posterior deviation times the quantile of the leave-one-out standardised residuals"
    )
    max_rows: int = 1500

    def fit(self, x: Array, y: Array, seed: int) -> Fitted:
        """Learn from rows; x [n, d], y [n]."""
        if len(y) < MIN_ROWS:
            return Constant(float(np.mean(y)) if len(y) else 0.0)
        if len(y) > self.max_rows:
            kept = np.random.default_rng(seed).permutation(len(y))[: self.max_rows]
            x, y = x[kept], y[kept]
        unit = np.sqrt(max(float(x.var(axis=0).sum()), 1e-12))
        centre, scale = float(y.mean()), float(y.std()) or 1.0
        with one_thread():
            return _posterior(x, (y - centre) / scale, unit, centre, scale)


def _posterior(x: Array, y: Array, unit: float, centre: float, scale: float) -> Posterior:
    best: tuple[float, float, float, Array, Array] | None = None
    for length in _LENGTHS * unit:
        values, vectors = np.linalg.eigh(_kernel(x, x, length))
        values = np.maximum(values, 0.0)
        inner = vectors.T @ y
        for noise in _NOISES:
            spread = values + noise
            # The signal's variance has its maximum in closed form: mean of inner^2 / spread.
            variance = float(np.mean(inner**2 / spread))
            score = len(y) * np.log(max(variance, 1e-300)) + float(np.sum(np.log(spread)))
            if best is None or score < best[0]:
                best = (score, float(length), float(noise), vectors, spread)
    assert best is not None
    _, length, noise, vectors, spread = best
    inverse = (vectors / spread) @ vectors.T
    weights = inverse @ y
    diagonal = np.diag(inverse)
    # Leave-one-out residual over its deviation, which takes the kernel's variance for 1; `factor`
    # makes up for that.
    standardised = weights / np.sqrt(diagonal)
    factor = residual_quantile(standardised)
    return Posterior(x, length, weights, inverse, noise, centre, scale, factor)


def _kernel(one: Array, other: Array, length: float) -> Array:
    squared = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2 * one @ other.T
    return np.asarray(np.exp(-np.maximum(squared, 0.0) / (2 * length**2)))


PLUGIN = GaussianProcess()
