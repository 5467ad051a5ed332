"""Costs as sums of what parts take, with what the sums leave over learned beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingRegressor

from nasprof.predict._cost_mixture import CostMixture
from nasprof.predict._domain import Domain, domain_of
from nasprof.predict._predictor import Array, Fitted, Predicted, residual_quantile
from nasprof.predict._relative import relative_nonnegative, weighted_sum
from nasprof.predict._threads import one_thread

LEAST = 8
"""Fewest rows that a predictor is fitted to."""
_FOLDS = 5
_TREES_FROM = 60
"""Fewest rows for which boosted trees are tried."""
_MIXTURE_UP_TO = 1_000
"""Rows that the mixture is fitted to at most: its cost grows with their cube."""
_WORST = 1.0
"""Absolute log error that counts as this much and no more when models are compared."""


@dataclass(frozen=True, slots=True)
class SumOfParts:
    """A predictor of costs from features that add up: counts, MACs, bytes of parts.

    Three models are compared by cross-validation over groups of equal architectures and the best is
    kept: a sum with no part below zero, a mixture of linear models with interactions, and the sum
    times boosted trees. Intervals are conformal: the quantile of the out-of-fold log errors, each
    over how sure the model was. `widths` are the columns of groups of features of one kind.
    Source: nn-Meter's sum over kernels (Zhang et al., 2021) for the sum; split conformal
    prediction with normalised residuals (Lei et al., 2018) for the intervals.
    """

    widths: tuple[int, ...]

    def fit(self, x: Array, y: Array, groups: NDArray[np.int64], seed: int) -> FittedSum:
        """Learn from rows; x [n, sum(widths)], y [n] above zero, equal architectures share a group.

        Raises: ValueError with fewer than `LEAST` rows.
        """
        if len(y) < LEAST:
            raise ValueError(f"{len(y)} rows, {LEAST} are needed")
        scores = {}
        for name, make in self._models(len(y)).items():
            left_out = _out_of_fold(make, x, y, groups, seed)
            misses = np.abs(np.log(left_out.mean / y))
            scores[name] = (float(np.minimum(misses, _WORST).mean()), misses / _spread(left_out))
        best = min(scores, key=lambda name: scores[name][0])
        width = residual_quantile(scores[best][1])
        inner = self._models(len(y))[best](x, y, seed)
        return FittedSum(best, inner, width, domain_of(x))

    def _models(self, count: int) -> Mapping[str, _Make]:
        models: dict[str, _Make] = {"sum": _fit_sum, "mixture": self._fit_mixture}
        if count >= _TREES_FROM:
            models["sum times trees"] = _fit_trees
        return models

    def _fit_mixture(self, x: Array, y: Array, seed: int) -> Fitted:
        if len(y) > _MIXTURE_UP_TO:
            kept = np.random.default_rng(seed).permutation(len(y))[:_MIXTURE_UP_TO]
            x, y = x[kept], y[kept]
        scaler = _scaler(x, self.widths)
        return _Scaled(scaler, CostMixture(self.widths).fit(scaler.rows(x), y))


@dataclass(frozen=True, slots=True)
class FittedSum:
    """The model that did best, with the width of its intervals and the hull of its training."""

    name: str
    inner: Fitted
    width: float
    domain: Domain

    def predict(self, x: Array) -> Predicted:
        """Predict rows of features; x [n, d]. Bounds stay above zero."""
        found = self.inner.predict(x)
        factor = np.exp(self.width * _spread(found))
        return Predicted(found.mean, found.mean / factor, found.mean * factor)

    def in_domain(self, x: Array) -> NDArray[np.bool_]:
        """Whether rows lie inside the hull of the training rows; x [n, d]."""
        return self.domain.holds(x)


_Make = Callable[[Array, Array, int], Fitted]


def fold_of(groups: NDArray[np.int64], seed: int) -> NDArray[np.intp]:
    """A fold for each row such that rows of one group share it; folds are of about equal size."""
    names, where, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    fold, filled = np.empty(len(names), dtype=np.intp), np.zeros(_FOLDS)
    for name in order:
        fold[name] = int(np.argmin(filled))
        filled[fold[name]] += sizes[name]
    return np.asarray(fold[where.reshape(-1)], dtype=np.intp)


def _out_of_fold(
    make: _Make, x: Array, y: Array, groups: NDArray[np.int64], seed: int
) -> Predicted:
    fold = fold_of(groups, seed)
    mean, low, high = np.empty(len(y)), np.empty(len(y)), np.empty(len(y))
    for number in np.unique(fold):
        out = fold == number
        # With a single group there is nothing else to learn from.
        kept = ~out if np.any(~out) else out
        found = make(x[kept], y[kept], seed).predict(x[out])
        mean[out], low[out], high[out] = found.mean, found.low, found.high
    return Predicted(mean, low, high)


def _spread(found: Predicted) -> Array:
    """How unsure a model is of each row, relative to the value; 1 where it does not say."""
    with np.errstate(invalid="ignore"):
        half = (found.high - found.low) / (2 * found.mean)
    return np.where(np.isfinite(half) & (half > 0), np.clip(half, 1e-3, 3.0), 1.0)


@dataclass(frozen=True, slots=True)
class _Sum:
    weights: Array
    floor: float

    def predict(self, x: Array) -> Predicted:
        mean = np.maximum(weighted_sum(self.weights, x), self.floor)
        return Predicted(mean, mean, mean)


def _fit_sum(x: Array, y: Array, seed: int) -> Fitted:
    # Sums of what is below the smallest cost are extrapolation; half of it is the floor.
    return _Sum(relative_nonnegative(x, y), 0.5 * float(y.min()))


@dataclass(frozen=True, slots=True)
class _TimesTrees:
    base: Fitted
    trees: GradientBoostingRegressor

    def predict(self, x: Array) -> Predicted:
        base = self.base.predict(x).mean
        mean = base * np.exp(self.trees.predict(np.column_stack([x, base])))
        return Predicted(mean, mean, mean)


def _fit_trees(x: Array, y: Array, seed: int) -> Fitted:
    base = _fit_sum(x, y, seed)
    said = base.predict(x).mean
    trees = GradientBoostingRegressor(
        n_estimators=150, max_depth=3, learning_rate=0.1, subsample=0.7, max_features="sqrt",
        min_samples_leaf=3, random_state=seed,
    )  # fmt: skip
    trees.fit(np.column_stack([x, said]), np.log(y / said))
    return _TimesTrees(base, trees)


@dataclass(frozen=True, slots=True)
class _Scaler:
    """Centre and scale of each column such that each group has a mean squared length of 1."""

    centre: Array
    scale: Array

    def rows(self, x: Array) -> Array:
        return np.asarray((x - self.centre) / self.scale)


@dataclass(frozen=True, slots=True)
class _Scaled:
    scaler: _Scaler
    inner: Fitted

    def predict(self, x: Array) -> Predicted:
        with one_thread():
            return self.inner.predict(self.scaler.rows(x))


def _scaler(x: Array, widths: tuple[int, ...]) -> _Scaler:
    deviation = x.std(axis=0)
    used = deviation > 0
    scale = np.ones(x.shape[1])
    start = 0
    for width in widths:
        part = slice(start, start + width)
        several = max(int(used[part].sum()), 1)
        scale[part] = np.where(used[part], deviation[part], np.inf) * np.sqrt(several)
        start += width
    return _Scaler(x.mean(axis=0), scale)
