"""Gradient-boosted trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor

from nasprof.predict._folds import FOLD_INTERVALS, Model, fit_folds
from nasprof.predict._predictor import Array, Fitted


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
        return fit_folds(self._fit_one, x, y, seed)

    def _fit_one(self, x: Array, y: Array, seed: int) -> Model:
        model = GradientBoostingRegressor(
            n_estimators=self.trees, max_depth=self.depth, subsample=0.7, random_state=seed
        ).fit(x, y)
        return lambda rows: np.asarray(model.predict(rows), dtype=np.float64)


PLUGIN = Boosting()
