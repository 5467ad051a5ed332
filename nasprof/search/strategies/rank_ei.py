"""Expected improvement on ranks: the default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasprof.predict._normal import log_improvement, normal_scores
from nasprof.predict._predictor import MIN_ROWS, Array, Predictor
from nasprof.search.beliefs import log_inside, log_inside_of, predict_costs
from nasprof.search.economy import expected_best, latest
from nasprof.search.features import features
from nasprof.search.pool import pool
from nasprof.search.problem import SearchProblem, scored
from nasprof.spaces._space import Genes
from profiler.core.plugins import load
from profiler.store.records import TrialRecord

_LIKELY = float(np.log(0.5))


@dataclass(frozen=True, slots=True)
class RankEi:
    """A Gaussian process on the normal scores of the accuracies, one candidate at a time.

    Each time the candidate is taken whose *observed* score is expected to improve most on the best,
    times the probability that it is inside every limit. The first ones are drawn at random among
    those that are likely to be inside.
    Source: own; expected improvement under constraints as in Gardner et al., "Bayesian Optimization
    with Inequality Constraints", 2014. Figures: benchmarks/search_table.py.
    """

    name: str = "rank-ei"
    batch: int = 1
    predictor: str = "gp"

    def propose(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        count: int,
        rng: np.random.Generator,
    ) -> list[Genes]:
        """Propose the candidate of the greatest expected improvement."""
        known = set(scored(problem, history))
        candidates = pool(problem, history, rng)
        new = candidates.without(known)
        if len(new) == 0:
            return []
        costs = predict_costs(problem, history, candidates.costs)
        inside = log_inside(costs, len(candidates.genes))[new]
        tried = latest(history)
        if len(history) < problem.initial or len(tried) < MIN_ROWS:
            chosen = _draw(inside, rng)
        else:
            seed = int(rng.integers(2**31))
            x = candidates.features[new]
            worth = inside + self._improvement(problem, history, tried, x, seed)
            chosen = int(np.argmax(worth))
        return [candidates.genes[new[chosen]]]

    def _improvement(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        tried: Sequence[TrialRecord],
        x: Array,
        seed: int,
    ) -> Array:
        """Logarithm of the expected improvement of the score; x [n, d]."""
        scores = normal_scores(np.array([trial.accuracy for trial in tried], dtype=np.float64))
        rows = features(problem.space, [trial.candidate.genes for trial in tried])
        predictor: Predictor = load("nasprof.predict", self.predictor)
        best = expected_best(scores, np.exp(log_inside_of(problem, history, tried)))
        return log_improvement(predictor.fit(rows, scores, seed).predict(x), best)


def _draw(inside: Array, rng: np.random.Generator) -> int:
    """A random position among those likely to be inside, or the likeliest tenth where none is."""
    likely = np.flatnonzero(inside >= _LIKELY)
    if len(likely) == 0:
        likely = np.argsort(-inside, kind="stable")[: max(1, len(inside) // 10)]
    return int(rng.choice(likely))


PLUGIN = RankEi()
