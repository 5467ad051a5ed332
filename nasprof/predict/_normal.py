"""Predictions as normal distributions, and values as the normal scores of their ranks."""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri
from scipy.stats import rankdata

from nasprof.predict._predictor import LEVEL, Array, Predicted

_HALF_WIDTH = float(ndtri((1 + LEVEL) / 2))
"""Half the width of an interval in standard deviations: 1.645 for 90 %."""


def normal_scores(values: Array) -> Array:
    """Replace values by the quantiles of a normal distribution at their ranks; ties share one.

    Accuracies crowd at the top and straggle far down to chance. Ranks undo both, and what a search
    needs is the order. Source: Blom's normal scores with offset 1/2.
    """
    return np.asarray(ndtri((rankdata(values) - 0.5) / len(values)))


def deviation(predicted: Predicted) -> Array:
    """Standard deviation of a new observation that the intervals amount to; above 0."""
    return np.maximum((predicted.high - predicted.low) / (2 * _HALF_WIDTH), 1e-12)


def log_improvement(predicted: Predicted, best: float) -> Array:
    """Logarithm of the expected improvement of a new *observation* over the best one.

    Counting the noise of an observation in is on purpose: the best of a table, and the network that
    a person ships, is the one that scored best, luck included.
    Source: Jones et al., "Efficient Global Optimization", 1998, equation 15.
    """
    spread = deviation(predicted)
    z = (predicted.mean - best) / spread
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.asarray(np.log(spread) + np.log(np.maximum(density + z * ndtr(z), 1e-300)))


def log_below(predicted: Predicted, limit: float) -> Array:
    """Logarithm of the probability that a value above zero is at most a limit, in log space."""
    logs = Predicted(np.log(predicted.mean), np.log(predicted.low), np.log(predicted.high))
    return np.asarray(log_ndtr((np.log(limit) - logs.mean) / deviation(logs)))
