"""The candidates that a predictor ranks: the whole space where it is small, else a large sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from nasprof.search.problem import SearchProblem, scored
from nasprof.spaces._genes import distinct, neighbours, one_hot, sample, space_size
from nasprof.spaces._space import Enumerated, Genes, Space
from profiler.store.records import TrialRecord

WHOLE = 50_000
"""Largest space that is ranked whole."""
SAMPLED = 20_000
"""Random candidates ranked in a larger space."""
ELITE = 10
"""Best trials whose neighbours are ranked too in a larger space."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates of different canonical form with their features.

    Shapes: features [n, d].
    """

    genes: tuple[Genes, ...]
    forms: tuple[Genes, ...]
    features: NDArray[np.float64]

    def without(self, known: set[Genes]) -> NDArray[np.intp]:
        """Positions of the candidates whose canonical form is not in `known`."""
        return np.flatnonzero([form not in known for form in self.forms])


def pool(problem: SearchProblem, history: Sequence[TrialRecord], rng: np.random.Generator) -> Pool:
    """The candidates to rank next; the rng only matters where the space is too large to list."""
    if space_size(problem.space) <= WHOLE:
        return _whole(_Kept(problem.space))
    known = scored(problem, history)
    elite = sorted(known, key=lambda form: known[form], reverse=True)[:ELITE]
    drawn = sample(problem.space, SAMPLED, rng)
    near = [other for genes in elite for other in neighbours(problem.space, genes)]
    return _pool(problem.space, [*near, *drawn])


def features(space: Space, candidates: Sequence[Genes]) -> NDArray[np.float64]:
    """Encode candidates for predictors: one-hot canonical genes, and how often each choice occurs.

    Genes with the same choices are counted together, because an operation costs about the same
    wherever it stands.
    Shapes: [n, sum(sizes) + counts].
    """
    rows = one_hot(space, [space.canonical(genes) for genes in candidates]).astype(np.float64)
    starts = np.concatenate([[0], np.cumsum(space.sizes)])
    counts = []
    for choices in dict.fromkeys(space.choices):
        places = [place for place, other in enumerate(space.choices) if other == choices]
        if len(places) > 1:
            columns = [rows[:, starts[place] : starts[place + 1]] for place in places]
            counts.append(np.sum(columns, axis=0) / np.sqrt(len(places)))
    return np.concatenate([rows, *counts], axis=1)


def _pool(space: Space, candidates: Sequence[Genes]) -> Pool:
    genes = distinct(space, candidates)
    return Pool(tuple(genes), tuple(space.canonical(one) for one in genes), features(space, genes))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A space as a key that asks no more of spaces than that they can be told apart."""

    space: Space

    def __hash__(self) -> int:
        return id(self.space)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and other.space is self.space


@lru_cache(maxsize=4)
def _whole(kept: _Kept) -> Pool:
    space = kept.space
    if isinstance(space, Enumerated):
        return _pool(space, space.members())
    every = product(*(range(size) for size in space.sizes))
    return _pool(space, [genes for genes in every if space.valid(genes)])
