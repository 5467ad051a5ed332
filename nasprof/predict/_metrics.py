"""How good predictions of costs are, in the numbers that this field reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau, rankdata

from nasprof.predict._predictor import Array, Predicted


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors on architectures that were not used for fitting.

    Unit: `rmspe` in percent, `rmse` in the unit of the values, the others are shares or rank
    correlations. `covered` is the share of truths inside their interval, `width` the median width
    of the intervals over the prediction. A rank correlation is NaN where all values are equal.
    """

    count: int
    rmspe: float
    within_5: float
    within_10: float
    within_15: float
    rmse: float
    rmse_over_mean: float
    spearman: float
    kendall: float
    covered: float
    width: float


def errors(truth: Array, predicted: Predicted) -> Errors:
    """Compare predictions with the truth; truth [n] above zero.

    Source: nn-Meter (Zhang et al., 2021): RMSPE = 100 sqrt(mean(((y - p) / y)^2)), accuracy within
    10 % = share with |y - p| / y <= 0.10; tau is Kendall's tau-b.
    """
    relative = np.abs(truth - predicted.mean) / truth
    rmse = float(np.sqrt(np.mean((truth - predicted.mean) ** 2)))
    inside = (predicted.low <= truth) & (truth <= predicted.high)
    return Errors(
        count=len(truth),
        rmspe=100 * float(np.sqrt(np.mean(relative**2))),
        within_5=float(np.mean(relative <= 0.05)),
        within_10=float(np.mean(relative <= 0.10)),
        within_15=float(np.mean(relative <= 0.15)),
        rmse=rmse,
        rmse_over_mean=rmse / float(np.mean(truth)),
        spearman=spearman(truth, predicted.mean),
        kendall=float(kendalltau(truth, predicted.mean).statistic) if len(truth) > 1 else np.nan,
        covered=float(np.mean(inside)),
        width=float(np.median((predicted.high - predicted.low) / predicted.mean)),
    )


def spearman(one: Array, other: Array) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN where one side is constant."""
    a, b = rankdata(one), rankdata(other)
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length > 0 else float("nan")
