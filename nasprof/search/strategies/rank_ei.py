"""Expected improvement on ranks: the default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nasprof.predict._normal import log_improvement, normal_scores
from nasprof.predict._predictor import MIN_ROWS, Array, Bounded, Fitted, Predicted, Predictor
from nasprof.search.beliefs import log_inside, log_inside_known, log_inside_of, predict_costs
from nasprof.search.economy import CAUTION, OUTSIDE, expected_best, latest
from nasprof.search.features import features
from nasprof.search.pool import Pool, pool
from nasprof.search.problem import SearchProblem, scored
from nasprof.spaces._space import Genes
from profiler.core.choice import Constraint
from profiler.core.plugins import load
from profiler.store.records import TrialRecord

_LIKELY = float(np.log(0.5))
_HOPE = float(np.log(OUTSIDE))
_BLOCK = 256
"""Candidates whose expected improvement is worked out at once."""


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
        candidates = pool(problem, history, rng)
        new = candidates.without(set(scored(problem, history)))
        if len(new) == 0:
            return []
        costs = predict_costs(problem, history, candidates.costs)
        inside = log_inside(costs, len(candidates.genes))
        if np.any(worthwhile := inside[new] > _HOPE):
            new = new[worthwhile]
        tried = latest(history)
        if len(tried) < max(problem.initial, MIN_ROWS):
            chosen = new[_draw(inside[new], rng)]
        else:
            seed = int(rng.integers(2**31))
            fitted, best = self._learn(problem, history, candidates, costs, seed)
            caution = 1.0 if problem.measurements is None else CAUTION
            chosen = most_worth(fitted, candidates.features, new, caution * inside[new], best)
        return [candidates.genes[chosen]]

    def _learn(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        candidates: Pool,
        costs: Mapping[Constraint, Predicted],
        seed: int,
    ) -> tuple[Fitted, float]:
        """A predictor of normal scores, and the score that is to be improved on."""
        tried = latest(history)
        scores = normal_scores(np.array([trial.accuracy for trial in tried], dtype=np.float64))
        genes = [trial.candidate.genes for trial in tried]
        predictor = _predictor(self.predictor)
        places = candidates.places(problem.space, genes)
        if places is None:
            rows = features(problem.space, genes)
            chances = log_inside_of(problem, history, tried)
        else:
            rows = candidates.features[places]
            here = {limit: predicted.at(places) for limit, predicted in costs.items()}
            chances = log_inside_known(here, tried)
        return predictor.fit(rows, scores, seed), expected_best(scores, np.exp(chances))


def most_worth(fitted: Fitted, x: Array, new: NDArray[np.intp], inside: Array, best: float) -> int:
    """The row, of those in `new`, of the greatest expected improvement times chance to be inside.

    Candidates are taken in the order of an upper bound, where the predictor has one, until none
    that is left can be greater. Shapes: x [n, d], new [k], inside [k], a logarithm.
    """
    if not isinstance(fitted, Bounded):
        return int(new[np.argmax(inside + log_improvement(fitted.predict(x[new]), best))])
    bound = inside + log_improvement(fitted.bounds(x).at(new), best)
    order = np.argsort(-bound, kind="stable")
    chosen, most = int(order[0]), -np.inf
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        if bound[block[0]] < most:
            break
        worth = inside[block] + log_improvement(fitted.predict(x[new[block]]), best)
        if worth.max() > most:
            chosen, most = int(block[np.argmax(worth)]), float(worth.max())
    return int(new[chosen])


@cache
def _predictor(name: str) -> Predictor:
    found: Predictor = load("nasprof.predict", name)
    return found


def _draw(inside: Array, rng: np.random.Generator) -> int:
    """A random position among those likely to be inside, or the likeliest tenth where none is."""
    likely = np.flatnonzero(inside >= _LIKELY)
    if len(likely) == 0:
        likely = np.argsort(-inside, kind="stable")[: max(1, len(inside) // 10)]
    return int(rng.choice(likely))


PLUGIN = RankEi()
