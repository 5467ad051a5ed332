"""The one interface of all predictors: fit rows of features to values, predict with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEVEL = 0.9
MIN_ROWS = 5


@dataclass(frozen=True, slots=True)
class Predicted:
    """Predicted values with intervals meant to hold the truth in a share of `LEVEL` of the cases.

    Shapes: mean, low, high [n].
    """

    mean: Array
    low: Array
    high: Array

    def at(self, places: NDArray[np.intp]) -> Predicted:
        """The predictions at some positions."""
        return Predicted(self.mean[places], self.low[places], self.high[places])


class Fitted(Protocol):
    """A predictor that has seen data."""

    def predict(self, x: Array) -> Predicted:
        """Predict rows of features; x [n, d]."""
        ...


@runtime_checkable
class Bounded(Protocol):
    """A fitted predictor that can say quickly what its predictions are within."""

    def predict(self, x: Array) -> Predicted:
        """Predict rows of features; x [n, d]."""
        ...

    def bounds(self, x: Array) -> Predicted:
        """The same means with intervals at least as wide; x [n, d]."""
        ...


class Predictor(Protocol):
    """A way to learn values from features; `intervals` says where its intervals come from."""

    @property
    def name(self) -> str: ...
    @property
    def intervals(self) -> str: ...
    def fit(self, x: Array, y: Array, seed: int) -> Fitted:
        """Learn from rows; x [n, d], y [n]; same rows and seed, same predictions."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """What can be said of fewer than `MIN_ROWS` rows: their mean, and nothing sure."""

    value: float

    def predict(self, x: Array) -> Predicted:
        """Predict the mean with an infinite interval; x [n, d]."""
        mean = np.full(len(x), self.value)
        return Predicted(mean, np.full(len(x), -np.inf), np.full(len(x), np.inf))


def residual_quantile(residuals: Array) -> float:
    """The size that a share of `LEVEL` of new residuals stays below.

    Source: split conformal prediction, quantile ceil((n + 1) level) / n of absolute residuals.
    """
    share = min(1.0, np.ceil((len(residuals) + 1) * LEVEL) / len(residuals))
    return float(np.quantile(np.abs(residuals), share, method="higher"))
