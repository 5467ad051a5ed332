"""Kernel values between many rows that stay and a few that grow by one at a time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nasprof.predict._kept import Kept
from nasprof.predict._predictor import Array

Single = NDArray[np.float32]


class KernelColumns:
    """exp(-squared distance / (2 length^2)) of rows to known rows, in single precision.

    A search ranks the same candidates after every trial, and each trial adds one known row: as long
    as the known rows begin with those of the last time, only what is new is worked out.
    """

    def __init__(self, x: Array) -> None:
        self._x = np.ascontiguousarray(x.T, dtype=np.float32)
        self._lengths = (self._x**2).sum(axis=0)
        self._known: Array = np.empty((0, x.shape[1]))
        self._length = 0.0
        self._squared: Single = np.empty((0, len(x)), dtype=np.float32)
        self._kernel: Single = self._squared.copy()

    def to(self, known: Array, length: float) -> Single:
        """The kernel of every known row to all rows, valid until the next call.

        Shapes: known [k, d], result [k, n].
        """
        count = len(self._known)
        if not np.array_equal(known[:count], self._known):
            count = 0
        total = len(known)
        self._grow(total)
        self._squared[count:total] = self._distances(known[count:])
        start = count if length == self._length else 0
        kernel = self._kernel[start:total]
        np.multiply(self._squared[start:total], -1 / (2 * length**2), out=kernel)
        np.exp(kernel, out=kernel)
        self._known, self._length = known.copy(), length
        return self._kernel[:total]

    def _grow(self, total: int) -> None:
        """Make room for known rows, twice as many as are there, so that they seldom move."""
        room = len(self._squared)
        if total > room:
            more = np.empty((max(total - room, room), self._squared.shape[1]), dtype=np.float32)
            self._squared = np.concatenate([self._squared, more])
            self._kernel = np.concatenate([self._kernel, more])

    def _distances(self, known: Array) -> Single:
        rows = known.astype(np.float32)
        squared = (-2 * rows) @ self._x
        squared += (rows**2).sum(axis=1)[:, None]
        squared += self._lengths
        np.maximum(squared, 0, out=squared)
        return squared


@lru_cache(maxsize=2)
def columns_of(x: Kept[Array]) -> KernelColumns:
    """The kernel of rows that come again and again as the same array; x [n, d]."""
    return KernelColumns(x.value)
