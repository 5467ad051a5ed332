"""The paths through a cell of NAS-Bench-201."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from nasprof.search.structures._structure import Array, Rows
from nasprof.spaces.nasbench201 import EDGES, NONE, OPS, SKIP

_PATHS = tuple(
    tuple(EDGES.index(edge) for edge in path)
    for path in (((0, 3),), ((0, 1), (1, 3)), ((0, 2), (2, 3)), ((0, 1), (1, 2), (2, 3)))
)
"""The edges of the four ways from input to output."""
_WORKING = tuple(op for op in range(len(OPS)) if op not in (NONE, SKIP))
_CONVOLUTIONS = tuple(op for op, name in enumerate(OPS) if "conv" in name)
_WORDS = {
    word: place
    for place, word in enumerate(
        word for length in range(4) for word in product(_WORKING, repeat=length)
    )
}
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Paths:
    """Sequences of operations from input to output, skips left out.

    Source: the path encoding of White et al., "BANANAS", 2021, with counts in place of presence;
    the depths beside it are ours.
    """

    def walks(self, rows: Rows) -> list[Array]:
        """Each sequence's count; which depths occur, with the greatest depth as a thermometer."""
        forms, where = np.unique(rows, axis=0, return_inverse=True)
        found = np.zeros((len(forms), len(_WORDS) + 2 * (_DEEPEST + 1)))
        for row, genes in zip(found, forms.tolist(), strict=True):
            _fill(row, genes)
        every = found[where.reshape(-1)]
        return [every[:, : len(_WORDS)], every[:, len(_WORDS) :]]

    def live_counts(self, rows: Rows) -> Array:
        """Operations on edges that lie on a path, scaled as counts of genes are."""
        alive = np.zeros(rows.shape, dtype=np.bool_)
        for path in _PATHS:
            edges = list(path)
            alive[:, edges] |= np.all(rows[:, edges] != NONE, axis=1, keepdims=True)
        live: Rows = np.where(alive, rows, NONE)
        counts = [(live == op).sum(axis=1) for op in range(len(OPS))]
        return np.asarray(np.stack(counts, axis=1) / np.sqrt(rows.shape[1]), dtype=np.float64)


def _fill(row: Array, genes: list[int]) -> None:
    deepest = -1
    for path in _PATHS:
        operations = [genes[edge] for edge in path]
        if NONE in operations:
            continue
        row[_WORDS[tuple(op for op in operations if op != SKIP)]] += 0.5
        depth = sum(op in _CONVOLUTIONS for op in operations)
        row[len(_WORDS) + depth] = 1.0
        deepest = max(deepest, depth)
    row[len(_WORDS) + _DEEPEST + 1 :][: deepest + 1] = 1.0


PLUGIN = Paths()
