"""Local search: walk to the first better neighbour, restart at random where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasprof.search.problem import Fitness, SearchProblem, scored
from nasprof.spaces._genes import neighbours, sample
from nasprof.spaces._space import Genes
from profiler.store.records import TrialRecord

_RESTARTS = 2000
"""Restarts without anything unknown before the search gives up."""


@dataclass(frozen=True, slots=True)
class LocalSearch:
    """The whole walk is replayed from the seed over what is known, up to the first unknown."""

    name: str = "local-search"
    batch: int = 1

    def propose(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        count: int,
        rng: np.random.Generator,
    ) -> list[Genes]:
        """Propose the next candidate of the replayed walk."""
        known = scored(problem, history)
        rng = np.random.default_rng(problem.seed)
        for _ in range(_RESTARTS + len(known)):
            found = _climb(problem, known, rng)
            if found is not None:
                return [found]
        return []


def _climb(
    problem: SearchProblem, known: dict[Genes, Fitness], rng: np.random.Generator
) -> Genes | None:
    """Climb from a random start to a local optimum, or up to the first unknown on the way."""
    space = problem.space
    at = sample(space, 1, rng)[0]
    if space.canonical(at) not in known:
        return at
    moved = True
    while moved:
        moved = False
        around = neighbours(space, at)
        order: list[int] = rng.permutation(len(around)).tolist()
        for next_one in (around[i] for i in order):
            form = space.canonical(next_one)
            if form not in known:
                return next_one
            if known[form] > known[space.canonical(at)]:
                at, moved = next_one, True
                break
    return None


PLUGIN = LocalSearch()
