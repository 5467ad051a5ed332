"""The candidates that a predictor ranks: the whole space where it is small, else a large sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from nasprof.predict._kept import Kept
from nasprof.search.cost_features import CostFeatures, Elsewhere, cost_features
from nasprof.search.features import features
from nasprof.search.problem import SearchProblem, scored
from nasprof.spaces._genes import canonical_forms, distinct, mutate, sample, space_size
from nasprof.spaces._space import Enumerated, Genes, Space
from profiler.store.records import TrialRecord

WHOLE = 50_000
"""Largest space that is ranked whole."""
SAMPLED = 4_000
"""Random candidates ranked in a larger space."""
ELITE = 10
"""Best trials around which candidates are drawn too in a larger space."""
MUTANTS = 200
"""Candidates drawn around each of them, half with one gene changed, half with two."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates of different canonical form, with features for their accuracy and their costs.

    `place` holds the position of each form.
    Shapes: features [n, d].
    """

    genes: tuple[Genes, ...]
    forms: tuple[Genes, ...]
    place: Mapping[Genes, int]
    features: NDArray[np.float64]
    costs: CostFeatures

    def without(self, known: set[Genes]) -> NDArray[np.intp]:
        """Positions of the candidates whose canonical form is not in `known`."""
        new = np.ones(len(self.forms), dtype=np.bool_)
        new[[self.place[form] for form in known if form in self.place]] = False
        return np.flatnonzero(new)

    def places(self, space: Space, candidates: Sequence[Genes]) -> NDArray[np.intp] | None:
        """Positions of candidates, or None where one is not in the pool."""
        found = [self.place.get(space.canonical(genes), -1) for genes in candidates]
        return None if -1 in found else np.array(found, dtype=np.intp)


def pool(problem: SearchProblem, history: Sequence[TrialRecord], rng: np.random.Generator) -> Pool:
    """The candidates to rank next; the rng only matters where the space is too large to list."""
    if space_size(problem.space) <= WHOLE:
        return whole_pool(problem)
    known = scored(problem, history)
    elite = sorted(known, key=lambda form: known[form], reverse=True)[:ELITE]
    drawn = sample(problem.space, SAMPLED, rng)
    near = [
        mutate(problem.space, genes, rng, changes)
        for genes in elite
        for changes in (1, 2)
        for _ in range(MUTANTS // 2)
    ]
    return _pool(problem.space, problem.elsewhere, [*near, *drawn])


def whole_pool(problem: SearchProblem) -> Pool:
    """Every candidate of a space that is small enough, worked out once."""
    return _whole(Kept(problem.space), Kept(problem.elsewhere))


def _pool(space: Space, elsewhere: Elsewhere | None, candidates: Sequence[Genes]) -> Pool:
    genes = distinct(space, candidates)
    forms = canonical_forms(space, genes)
    return Pool(
        tuple(genes),
        tuple(forms),
        {form: place for place, form in enumerate(forms)},
        features(space, genes),
        cost_features(space, genes, elsewhere),
    )


@lru_cache(maxsize=4)
def _whole(kept: Kept[Space], elsewhere: Kept[Elsewhere | None]) -> Pool:
    space = kept.value
    if isinstance(space, Enumerated):
        return _pool(space, elsewhere.value, space.members())
    every = product(*(range(size) for size in space.sizes))
    return _pool(space, elsewhere.value, [genes for genes in every if space.valid(genes)])
