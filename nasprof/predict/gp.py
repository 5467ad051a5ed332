"""A Gaussian process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasprof.predict._kept import Kept
from nasprof.predict._kernel_columns import KernelColumns, Single, columns_of
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
_CHUNK = 1_000
"""Rows predicted at once: few enough to stay in the processor's cache."""
_TOGETHER = 2**24
"""Kernel values kept for the next time: 64 MiB."""


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

    def bounds(self, x: Array) -> Predicted:
        """The same means with intervals at least as wide, for less work; x [n, d].

        A deviation is at most what the nearest row alone leaves of it. In single precision, and the
        less work where the same array `x` comes again after a few more rows were learnt.
        """
        with one_thread():
            if x.size and len(x) * len(self.x) <= _TOGETHER:
                columns = [columns_of(Kept(x))]
            else:
                columns = [KernelColumns(x[i : i + _CHUNK]) for i in range(0, len(x), _CHUNK)]
            parts = [self._bounds(each.to(self.x, self.length)) for each in columns]
        mean = self.centre + self.scale * np.concatenate([part[0] for part in parts])
        half = self.factor * self.scale * np.concatenate([part[1] for part in parts])
        return Predicted(mean, mean - half, mean + half)

    def _bounds(self, cross: Single) -> tuple[Array, Array]:
        known = cross.max(axis=0).astype(np.float64) ** 2 / (1 + self.noise)
        mean = (self.weights.astype(np.float32) @ cross).astype(np.float64)
        return mean, np.sqrt(1 + self.noise - known) + 1e-4

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
    squared = _squared(x, x)
    best: tuple[float, float, float, Array, Array] | None = None
    for length in _LENGTHS * unit:
        values, vectors = np.linalg.eigh(np.exp(-squared / (2 * length**2)))
        spreads = np.maximum(values, 0.0) + _NOISES[:, None]
        # The signal's variance has its maximum in closed form: mean of inner^2 / spread.
        variances = ((vectors.T @ y) ** 2 / spreads).mean(axis=1)
        scores = len(y) * np.log(np.maximum(variances, 1e-300)) + np.log(spreads).sum(axis=1)
        least = int(np.argmin(scores))
        if best is None or scores[least] < best[0]:
            noise = float(_NOISES[least])
            best = (float(scores[least]), float(length), noise, vectors, spreads[least])
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
    return np.asarray(np.exp(-_squared(one, other) / (2 * length**2)))


def _squared(one: Array, other: Array) -> Array:
    """Squared distances of rows; in place where it can be, because it is most of a prediction."""
    squared = one @ (-2 * other.T)
    squared += (one**2).sum(1)[:, None]
    squared += (other**2).sum(1)[None]
    return np.maximum(squared, 0.0, out=squared)


PLUGIN = GaussianProcess()
