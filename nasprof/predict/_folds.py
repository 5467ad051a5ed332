"""An ensemble of models fitted on all folds but one, with intervals from the folds left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

FOLDS = 5
FOLD_INTERVALS = "quantile of the residuals of 5-fold cross-validation, the same width everywhere"

Model = Callable[[Array], Array]
FitOne = Callable[[Array, Array, int], Model]


@dataclass(frozen=True, slots=True)
class FoldEnsemble:
    """The mean of the fold models; `half_width` is the quantile of their out-of-fold residuals."""

    models: Sequence[Model]
    half_width: float

    def predict(self, x: Array) -> Predicted:
        """Predict rows of features; x [n, d]."""
        mean = np.mean([model(x) for model in self.models], axis=0)
        return Predicted(mean, mean - self.half_width, mean + self.half_width)


def fit_folds(fit_one: FitOne, x: Array, y: Array, seed: int) -> Fitted:
    """Fit one model for each fold left out; x [n, d], y [n]."""
    if len(y) < MIN_ROWS:
        return Constant(float(np.mean(y)) if len(y) else 0.0)
    fold_of = np.arange(len(y)) % FOLDS
    np.random.default_rng(seed).shuffle(fold_of)
    models: list[Model] = []
    residuals = np.empty(len(y))
    for fold in range(FOLDS):
        out = fold_of == fold
        model = fit_one(x[~out], y[~out], seed + fold)
        residuals[out] = y[out] - model(x[out])
        models.append(model)
    return FoldEnsemble(tuple(models), residual_quantile(residuals))
