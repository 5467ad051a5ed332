"""Random search: the baseline that everything has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasprof.search.problem import SearchProblem
from nasprof.spaces._genes import sample_distinct
from nasprof.spaces._space import Genes
from profiler.store.records import TrialRecord


@dataclass(frozen=True, slots=True)
class RandomSearch:
    """Draws candidates that were not tried, uniformly."""

    name: str = "random"
    batch: int = 10

    def propose(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        count: int,
        rng: np.random.Generator,
    ) -> list[Genes]:
        """Propose up to `count` candidates."""
        known = [problem.space.canonical(trial.candidate.genes) for trial in history]
        return sample_distinct(problem.space, count, rng, known)


PLUGIN = RandomSearch()
