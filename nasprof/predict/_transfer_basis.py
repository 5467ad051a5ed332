"""What known devices take, as functions of a candidate's features, ready for a new device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nasprof.predict._domain import Domain, domain_of
from nasprof.predict._predictor import Array
from nasprof.predict._relative import relative_least_squares, weighted_sum

_RIDGE = 1e-6
_FLOOR = 0.3
"""Share of a device's smallest cost below which no smoothed cost may fall."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Features of candidates: operations counted as they are and without dead ones, and genes.

    Shapes: plain [n, a], live [n, b], genes and live_genes [n, c]; a and b may be 0.
    """

    plain: Array
    live: Array
    genes: Array
    live_genes: Array

    def full(self) -> Array:
        """All features, and products of two counts; [n, d]."""
        parts = [self.plain, self.live, self.genes, self.live_genes]
        return np.concatenate([*parts, _products(self.plain), _products(self.live)], axis=1)

    def take(self, rows: Sequence[int] | Array) -> Parts:
        """Some of the rows."""
        kept = np.asarray(rows, dtype=np.intp)
        return Parts(self.plain[kept], self.live[kept], self.genes[kept], self.live_genes[kept])


@dataclass(frozen=True, slots=True)
class TransferBasis:
    """Known devices smoothed over their tables, each scaled to a mean of 1.

    Single values of a table are noisy; a fit to thousands of them is not. `by_counts` explain a
    device by operation counts alone, `by_all` by all features.
    Shapes: by_counts [devices, 1 + a], by_all [devices, 1 + d], floors [devices], centres and
    scales of the last three groups.
    """

    devices: tuple[str, ...]
    by_counts: Array
    by_all: Array
    floors: Array
    centres: tuple[Array, ...]
    scales: tuple[float, ...]
    domain: Domain

    @property
    def widths(self) -> tuple[int, ...]:
        """Columns of each group of `rows`."""
        known = len(self.devices)
        return (1, 1, known, known, *(len(centre) for centre in self.centres))

    def rows(self, parts: Parts) -> Array:
        """Candidates as rows for `Transfer`; [n, sum(widths)]."""
        counted = weighted_sums(self.by_counts, parts.plain, self.floors)
        smooth = weighted_sums(self.by_all, parts.full(), self.floors)
        level = counted.mean(axis=1, keepdims=True)
        share = np.sqrt(len(self.devices))
        groups = [
            (group - centre) / scale
            for group, centre, scale in zip(_last(parts), self.centres, self.scales, strict=True)
        ]
        offset = np.ones_like(level)
        beyond = (smooth - counted) / share
        return np.concatenate([level, offset, (counted - level) / share, beyond, *groups], axis=1)


def weighted_sums(weights: Array, x: Array, floors: Array) -> Array:
    """Sums of features for several devices, none below its floor; [n, devices]."""
    found = np.stack([weighted_sum(row, x) for row in weights], axis=1)
    return np.asarray(np.maximum(found, floors))


def basis_of(parts: Parts, known: Mapping[str, Array]) -> TransferBasis:
    """Smooth the costs of known devices; a NaN is a candidate that a device was not measured on.

    Shapes: each array of `known` [n], above zero, one value a row of `parts`.
    """
    full = parts.full()
    counts, everything, floors = [], [], []
    for values in known.values():
        has = np.flatnonzero(np.isfinite(values))
        y = values[has]
        weights = _smooth(full[has], y)
        scale = float(np.mean(weighted_sum(weights, full)))
        counts.append(relative_least_squares(parts.plain[has], y) / scale)
        everything.append(weights / scale)
        floors.append(_FLOOR * float(y.min()) / scale)
    centres = tuple(group.mean(axis=0) for group in _last(parts))
    scales = tuple(
        max(float(np.sqrt(((group - centre) ** 2).sum(axis=1).mean())), 1e-12)
        for group, centre in zip(_last(parts), centres, strict=True)
    )
    return TransferBasis(
        tuple(known),
        np.stack(counts),
        np.stack(everything),
        np.array(floors),
        centres,
        scales,
        domain_of(full),
    )


def _last(parts: Parts) -> tuple[Array, Array, Array]:
    return parts.plain, parts.live, parts.genes


def _smooth(x: Array, y: Array) -> Array:
    """Relative least squares with a ridge too small to matter where the data decides."""
    rows = np.concatenate([np.ones((len(x), 1)), x], axis=1) / y[:, None]
    gram = rows.T @ rows
    penalty = _RIDGE * np.trace(gram) / len(gram)
    return np.asarray(np.linalg.solve(gram + penalty * np.eye(len(gram)), rows.sum(axis=0)))


def _products(counts: Array) -> Array:
    first, second = np.triu_indices(counts.shape[1])
    return np.asarray(counts[:, first] * counts[:, second])
