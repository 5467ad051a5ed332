"""An ensemble of models fitted on all folds but one, with intervals from the folds left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasprof.predict._predictor import Array, Predicted, residual_quantile

FOLDS = 5
FOLD_INTERVALS = "quantile of the residuals of 5-fold cross-validation, the same width everywhere"

Models = Callable[[Array], Array]
"""Rows [n, d] to what each fold's model predicts for them [FOLDS, n]."""


@dataclass(frozen=True, slots=True)
class FoldEnsemble:
    """The mean of the fold models; `half_width` is the quantile of their out-of-fold residuals."""

    models: Models
    half_width: float

    def predict(self, x: Array) -> Predicted:
        """Predict rows of features; x [n, d]."""
        mean = self.models(x).mean(axis=0)
        return Predicted(mean, mean - self.half_width, mean + self.half_width)


def folds(count: int, seed: int) -> NDArray[np.intp]:
    """The fold of each of `count` rows, as equal in size as they can be."""
    fold_of = np.arange(count) % FOLDS
    np.random.default_rng(seed).shuffle(fold_of)
    return fold_of


def from_folds(models: Models, x: Array, y: Array, fold_of: NDArray[np.intp]) -> FoldEnsemble:
    """Join models, each fitted without the rows of its fold; x [n, d], y [n], fold_of [n]."""
    left_out = models(x)[fold_of, np.arange(len(y))]
    return FoldEnsemble(models, residual_quantile(y - left_out))
