"""Expected improvement on ranks: the default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasprof.predict._normal import log_below, log_improvement, normal_scores
from nasprof.predict._predictor import MIN_ROWS, Array, Predictor
from nasprof.search.beliefs import predict_metric
from nasprof.search.features import features
from nasprof.search.pool import pool
from nasprof.search.problem import SearchProblem, scored
from nasprof.spaces._genes import sample_distinct
from nasprof.spaces._space import Genes
from profiler.core.plugins import load
from profiler.store.records import TrialRecord


@dataclass(frozen=True, slots=True)
class RankEi:
    """A Gaussian process on the normal scores of the accuracies, one candidate at a time.

    Each time the candidate is taken whose *observed* score is expected to improve most on the best,
    times the probability that it is inside every limit. What is known of distinct architectures is
    shared: candidates are compared in canonical form.
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
        if len(known) < problem.initial:
            return sample_distinct(problem.space, 1, rng, known)
        candidates = pool(problem, history, rng)
        new = candidates.without(known)
        if len(new) == 0:
            return []
        worth = self._worth(problem, history, candidates.features[new], int(rng.integers(2**31)))
        return [candidates.genes[new[int(np.argmax(worth))]]]

    def _worth(
        self, problem: SearchProblem, history: Sequence[TrialRecord], x: Array, seed: int
    ) -> Array:
        """Logarithm of what trying a candidate is worth; x [n, d]."""
        worth = np.zeros(len(x))
        for constraint in problem.constraints:
            predicted = predict_metric(problem, history, constraint, x, seed)
            worth += log_below(predicted, constraint.limit)
        tried = [trial for trial in history if trial.accuracy is not None]
        if len(tried) >= MIN_ROWS:
            scores = normal_scores(np.array([trial.accuracy for trial in tried], dtype=np.float64))
            rows = features(problem.space, [trial.candidate.genes for trial in tried])
            predictor: Predictor = load("nasprof.predict", self.predictor)
            worth += log_improvement(
                predictor.fit(rows, scores, seed).predict(x), float(scores.max())
            )
        return worth


PLUGIN = RankEi()
