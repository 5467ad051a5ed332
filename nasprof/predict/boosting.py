"""Gradient-boosted trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor

from nasprof.predict._folds import FOLD_INTERVALS, FOLDS, folds, from_folds
from nasprof.predict._predictor import MIN_ROWS, Array, Constant, Fitted


@dataclass(frozen=True, slots=True)
class Boosting:
    """Boosted trees on subsamples, one of WeakNAS's weak predictors.

    Source: WeakNAS (Wu et al., 2021) uses 1,000 trees of depth 20; these are fewer and shallower,
    because a search fits them again after every batch.
    """

    name: str = "boosting"
    intervals: str = FOLD_INTERVALS
    trees: int = 100
    depth: int = 4

    def fit(self, x: Array, y: Array, seed: int) -> Fitted:
        """Learn from rows; x [n, d], y [n]."""
        if len(y) < MIN_ROWS:
            return Constant(float(np.mean(y)) if len(y) else 0.0)
        fold_of = folds(len(y), seed)
        models = [
            self._model(seed + fold).fit(x[fold_of != fold], y[fold_of != fold])
            for fold in range(FOLDS)
        ]

        def predict(rows: Array) -> Array:
            return np.stack([model.predict(rows) for model in models])

        return from_folds(predict, x, y, fold_of)

    def _model(self, seed: int) -> GradientBoostingRegressor:
        return GradientBoostingRegressor(
            n_estimators=self.trees, max_depth=self.depth, subsample=0.7, random_state=seed
        )


PLUGIN = Boosting()
