"""Costs as sums over parts, fitted so that relative errors are small."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from nasprof.predict._predictor import Array

_PENALTY = 1e-9


def relative_least_squares(x: Array, y: Array) -> Array:
    """Weights with an intercept in front that minimise sum(((y - p) / y)^2).

    Shapes: x [n, d], y [n] above zero, result [1 + d]. With fewer rows than weights it is the
    shortest solution.
    Source: spec of the project, NAS-Bench-201 on a Raspberry Pi 5: five live counts and an
    intercept, six coefficients.
    """
    rows = _with_intercept(x) / y[:, None]
    found = np.linalg.lstsq(rows, np.ones(len(y)), rcond=None)[0]
    return np.asarray(found, dtype=np.float64)


def relative_nonnegative(x: Array, y: Array) -> Array:
    """As `relative_least_squares` with no weight below zero: no part of a network saves time.

    Shapes: x [n, d] at least zero, y [n] above zero, result [1 + d].
    """
    rows = _with_intercept(x) / y[:, None]
    scale = np.maximum(np.sqrt((rows**2).sum(axis=0)), 1e-300)
    small = _PENALTY * np.eye(rows.shape[1])
    found, _ = nnls(
        np.concatenate([rows / scale, small]),
        np.concatenate([np.ones(len(y)), np.zeros(rows.shape[1])]),
    )
    return np.asarray(found / scale, dtype=np.float64)


def weighted_sum(weights: Array, x: Array) -> Array:
    """What the weights say of rows; x [n, d], weights [1 + d]."""
    return np.asarray(_with_intercept(x) @ weights)


def _with_intercept(x: Array) -> Array:
    return np.concatenate([np.ones((len(x), 1)), x], axis=1)
