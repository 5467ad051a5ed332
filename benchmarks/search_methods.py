"""The strategies that the search benchmarks compare, and the spaces they search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from nasprof.search.strategies._strategy import Strategy
from nasprof.search.strategies.evolution import Evolution
from nasprof.search.strategies.local_search import LocalSearch
from nasprof.search.strategies.random import RandomSearch
from nasprof.search.strategies.rank_ei import RankEi
from nasprof.search.strategies.weaknas import WeakNas
from nasprof.spaces._space import Genes
from nasprof.spaces.nasbench201 import NONE, NasBench201
from nasprof.spaces.nasbench201 import PLUGIN as NASBENCH201

DATA = Path(__file__).parents[1].parent / "shared" / "data"
OURS = "rank-ei (ours)"
METHODS: dict[str, Strategy] = {
    OURS: RankEi(),
    "evolution 20/5": Evolution(),
    "local search": LocalSearch(),
    "evolution 50/10": Evolution(population=50, tournament=10),
    "random": RandomSearch(),
    "WeakNAS, ridge pairs": WeakNas(predictor="ridge-pairs"),
    "WeakNAS, MLP 4 x 256": WeakNas(),
}
SLOW = ("WeakNAS, MLP 4 x 256",)
"""Seconds a run: fewer seeds (`--slow-seeds`)."""


@dataclass(frozen=True, slots=True)
class AsNumbered(NasBench201):
    """The space without knowing that some of its cells are equal."""

    def canonical(self, genes: Genes) -> Genes:
        """Every cell stands for itself."""
        return genes

    def canonical_rows(self, rows: np.ndarray) -> np.ndarray:
        """Every cell stands for itself."""
        return rows


@dataclass(frozen=True, slots=True)
class Cells(AsNumbered):
    """Some cells, every one on its own, because the table has a latency and an accuracy for each.

    The 341 cells without a path from input to output are left out: they are no networks, and some
    tables hold arbitrary latencies for them.
    """

    cells: tuple[Genes, ...] = ()
    known: frozenset[Genes] = field(default=frozenset(), repr=False)

    def valid(self, genes: Genes) -> bool:
        """Whether it is one of the cells."""
        return genes in self.known

    def members(self) -> Sequence[Genes]:
        """The cells, in index order."""
        return self.cells


@cache
def cells_with_path(measured: tuple[int, ...] | None = None) -> Cells:
    """The cells with a path from input to output; of those, the ones that were measured."""
    every = NASBENCH201.members()
    chosen = every if measured is None else [every[index] for index in measured]
    alive = tuple(genes for genes in chosen if _has_path(genes))
    return Cells(cells=alive, known=frozenset(alive))


def _has_path(genes: Genes) -> bool:
    paths = ((3,), (0, 4), (1, 5), (0, 2, 5))
    return any(all(genes[edge] != NONE for edge in path) for path in paths)
