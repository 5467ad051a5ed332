"""Where the training data is, and what lies beyond it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasprof.predict._predictor import Array

_MARGIN = 0.05
"""How far beyond the smallest and largest value of a feature counts as inside, as a share."""
_LEVERAGE = 1.5
"""Leverage up to this many times the greatest of the training rows counts as inside."""


@dataclass(frozen=True, slots=True)
class Domain:
    """The hull of the training features: a box, and an ellipsoid for combinations inside it.

    The exact convex hull of a few rows with many features holds next to nothing; a box alone holds
    corners that nothing was seen of. The ellipsoid bounds the leverage of a row: how far the
    prediction for it hangs on extrapolation.
    Shapes: low, high, centre [d], axes [d, k].
    Source: leverage limit of applicability domains (Williams plot; Jaworska et al., 2005).
    """

    low: Array
    high: Array
    centre: Array
    axes: Array
    limit: float

    def holds(self, x: Array) -> NDArray[np.bool_]:
        """Whether rows are inside; x [n, d]."""
        in_box = np.all((x >= self.low) & (x <= self.high), axis=1)
        return np.asarray(in_box & (self._leverage(x) <= self.limit))

    def _leverage(self, x: Array) -> Array:
        return np.asarray((((x - self.centre) @ self.axes) ** 2).sum(axis=1))


def domain_of(x: Array) -> Domain:
    """The hull of rows of features; x [n, d]."""
    low, high, centre = x.min(axis=0), x.max(axis=0), x.mean(axis=0)
    span = high - low
    scale = np.where(span > 0, span, 1.0)
    _, sizes, right = np.linalg.svd((x - centre) / scale, full_matrices=False)
    kept = sizes > 1e-9 * max(float(sizes.max(initial=0.0)), 1e-300)
    # A small ridge: directions that were hardly seen are beyond the hull, not infinitely so.
    spread = np.sqrt(sizes[kept] ** 2 + 1e-6 * len(x))
    axes = (right[kept] / spread[:, None]).T / scale[:, None]
    box = Domain(low - _MARGIN * span, high + _MARGIN * span, centre, axes, np.inf)
    most = float(box._leverage(x).max(initial=0.0))
    return Domain(box.low, box.high, centre, axes, _LEVERAGE * most + 1e-9)
