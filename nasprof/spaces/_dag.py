"""Cells that are graphs: dead parts removed, one form for all isomorphic ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

VERTICES = 7
PAIRS = tuple(combinations(range(VERTICES), 2))
"""(source, target) of each possible edge: the upper triangle, row by row."""

INTERIOR = VERTICES - 2
ABSENT = 3
"""Operation code of a vertex that is on no path from input to output."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Dag:
    """A cell without dead parts: vertex 0 is the input, then one for each operation, the output."""

    edges: tuple[tuple[int, int], ...]
    ops: tuple[str, ...]


def live(rows: Rows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find what is on a path from input to output.

    Shapes: rows [n, 21 + 5]; edges [n, 21] that are live, vertices [n, 7] that are.
    """
    edges = rows[:, : len(PAIRS)].astype(bool)
    reached = np.zeros((len(rows), VERTICES), dtype=bool)
    reaching = np.zeros_like(reached)
    reached[:, 0] = reaching[:, -1] = True
    for place, (source, target) in enumerate(PAIRS):
        reached[:, target] |= edges[:, place] & reached[:, source]
    for place, (source, target) in reversed(list(enumerate(PAIRS))):
        reaching[:, source] |= edges[:, place] & reaching[:, target]
    vertices = reached & reaching
    sources, targets = (np.asarray(end) for end in zip(*PAIRS, strict=True))
    return edges & vertices[:, sources] & vertices[:, targets], vertices


def canonical_rows(rows: Rows) -> Rows:
    """The form that all isomorphic cells share, dead parts removed.

    Of all orders of the interior vertices that keep edges pointing forwards, the one whose
    operations, then edges, make the smallest number.
    Shapes: [n, 26] to [n, 26].
    """
    edges, vertices = live(rows)
    ops = np.where(vertices[:, 1:-1], rows[:, len(PAIRS) :], ABSENT)
    features = np.concatenate([edges, ops], axis=1).astype(np.float64)
    # Exact: all numbers stay far below 2^53.
    best = (features @ _order_weights()).min(axis=1).astype(np.int64)
    out = np.zeros_like(rows)
    for place in range(len(PAIRS)):
        out[:, place] = best >> (len(PAIRS) - 1 - place) & 1
    for place in range(INTERIOR):
        op = best >> (len(PAIRS) + 2 * (INTERIOR - 1 - place)) & 3
        out[:, len(PAIRS) + place] = np.where(op == ABSENT, 0, op)
    return out


@cache
def _order_weights() -> NDArray[np.float64]:
    """One column for each order: what an edge or operation adds to the number that it makes."""
    orders = list(permutations(range(1, VERTICES - 1)))
    weights = np.empty((len(PAIRS) + INTERIOR, len(orders)))
    for column, order in enumerate(orders):
        place = {0: 0, VERTICES - 1: VERTICES - 1, **{v: at for at, v in enumerate(order, 1)}}
        for row, (source, target) in enumerate(PAIRS):
            pair = (place[source], place[target])
            # A backward edge makes the order lose against every valid one.
            weights[row, column] = (
                2.0 ** (len(PAIRS) - 1 - PAIRS.index(pair)) if pair in PAIRS else 2.0**40
            )
        for row, vertex in enumerate(range(1, VERTICES - 1), start=len(PAIRS)):
            weights[row, column] = 2.0 ** (len(PAIRS) + 2 * (INTERIOR - place[vertex]))
    return weights
