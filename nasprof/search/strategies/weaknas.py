"""WeakNAS: weak predictors, fitted again after every batch, rank what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasprof.search.beliefs import predict_accuracy, predict_costs, standing
from nasprof.search.pool import Pool, pool
from nasprof.search.problem import SearchProblem, scored
from nasprof.spaces._genes import sample_distinct
from nasprof.spaces._space import Genes
from profiler.core.plugins import load
from profiler.store.records import TrialRecord


@dataclass(frozen=True, slots=True)
class WeakNas:
    """Fit on everything tried, rank all candidates, draw a batch uniformly from the `top` ranked.

    Under limits, candidates whose predicted metric is outside with its whole interval are set aside
    first; those that straddle a limit stay.
    Source: Wu et al., "Stronger NAS with Weaker Predictors", NeurIPS 2021, algorithm 1, with its
    settings for NAS-Bench-201 (10 at random, batches of 10 out of the top 100); setting aside is
    ours.
    """

    name: str = "weaknas"
    batch: int = 10
    top: int = 100
    predictor: str = "mlp"

    def propose(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        count: int,
        rng: np.random.Generator,
    ) -> list[Genes]:
        """Propose up to `count` candidates."""
        known = set(scored(problem, history))
        if len(known) < problem.initial:
            return sample_distinct(
                problem.space, min(count, problem.initial - len(known)), rng, known
            )
        candidates = pool(problem, history, rng)
        seed = int(rng.integers(2**31))
        ranked = self._rank(problem, history, candidates, seed)
        new = set(candidates.without(known).tolist())
        # As published: those tried already leave the top, which is not filled up again.
        best = [i for i in ranked[: self.top].tolist() if i in new]
        if len(best) < count:
            best = [i for i in ranked.tolist() if i in new][:count]
        drawn = rng.permutation(len(best))[:count].tolist()
        return [candidates.genes[best[i]] for i in drawn]

    def _rank(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        candidates: Pool,
        seed: int,
    ) -> NDArray[np.intp]:
        """Positions by predicted accuracy, best first, without those outside a limit."""
        predictor = load("nasprof.predict", self.predictor)
        accuracy = predict_accuracy(predictor, problem, history, candidates.features, seed)
        ranked = np.argsort(-accuracy.mean, kind="stable")
        costs = predict_costs(problem, history, candidates.costs)
        outside = standing(costs, len(ranked)).outside
        kept = ranked[~outside[ranked]]
        # Should everything look hopeless, the least hopeless part is still worth a look.
        return kept if len(kept) else ranked


PLUGIN = WeakNas()
