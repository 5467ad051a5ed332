"""Kernel values that are kept from one fit to the next are those worked out anew."""

from __future__ import annotations

import numpy as np

from nasprof.predict._kernel_columns import KernelColumns

RNG = np.random.default_rng(3)
X = RNG.normal(size=(50, 4))
KNOWN = RNG.normal(size=(40, 4))


def _by_hand(known: np.ndarray, length: float) -> np.ndarray:
    squared = ((known[:, None] - X[None]) ** 2).sum(axis=2)
    return np.exp(-squared / (2 * length**2))


def test_rows_added_one_by_one_at_changing_lengths() -> None:
    columns = KernelColumns(X)
    for count, length in [(5, 1.0), (6, 1.0), (7, 2.0), (7, 2.0), (30, 2.0), (40, 0.7)]:
        found = columns.to(KNOWN[:count], length)
        np.testing.assert_allclose(found, _by_hand(KNOWN[:count], length), atol=1e-5)


def test_other_rows_than_last_time_start_anew() -> None:
    columns = KernelColumns(X)
    columns.to(KNOWN[:20], 1.0)
    for known in (KNOWN[10:35], KNOWN[10:12], KNOWN[11:12]):
        np.testing.assert_allclose(columns.to(known, 1.0), _by_hand(known, 1.0), atol=1e-5)
