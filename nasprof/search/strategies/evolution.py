"""Regularised evolution: tournaments, one mutation a child, the oldest dies."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasprof.search.problem import Fitness, SearchProblem, scored
from nasprof.spaces._genes import mutate, sample
from nasprof.spaces._space import Genes
from profiler.store.records import TrialRecord

_REPEATS = 50
"""Children met again for each candidate tried, after which the search gives up."""


@dataclass(frozen=True, slots=True)
class Evolution:
    """The whole evolution is replayed from the seed over what is known, up to the first unknown.

    Candidates met again cost nothing and join the population like any other.
    Source: Real et al., "Regularized Evolution for Image Classifier Architecture Search", 2019.
    """

    name: str = "evolution"
    batch: int = 1
    population: int = 20
    tournament: int = 5

    def propose(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        count: int,
        rng: np.random.Generator,
    ) -> list[Genes]:
        """Propose the next candidate of the replayed evolution."""
        space, known = problem.space, scored(problem, history)
        rng = np.random.default_rng(problem.seed)
        alive: deque[tuple[Fitness, Genes]] = deque(maxlen=self.population)
        for _ in range(_REPEATS * (len(known) + self.population)):
            if len(alive) < self.population:
                child = sample(space, 1, rng)[0]
            else:
                drawn = rng.choice(len(alive), size=self.tournament, replace=False)
                parent = max((alive[i] for i in drawn), key=lambda member: member[0])[1]
                child = mutate(space, parent, rng)
            form = space.canonical(child)
            if form not in known:
                return [child]
            alive.append((known[form], child))
        return []


PLUGIN = Evolution()
