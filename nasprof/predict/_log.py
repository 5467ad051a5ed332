"""Predicting in log space: for values above zero whose errors are relative, such as latency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasprof.predict._predictor import Array, Fitted, Predicted, Predictor


@dataclass(frozen=True, slots=True)
class Exponential:
    """Turns predictions of logarithms into predictions of values."""

    inner: Fitted

    def predict(self, x: Array) -> Predicted:
        """Predict rows of features; x [n, d]."""
        logs = self.inner.predict(x)
        return Predicted(np.exp(logs.mean), np.exp(logs.low), np.exp(logs.high))


def fit_log(predictor: Predictor, x: Array, y: Array, seed: int) -> Fitted:
    """Fit a predictor to log(y); x [n, d], y [n] above zero."""
    return Exponential(predictor.fit(x, np.log(y), seed))
