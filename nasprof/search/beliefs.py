"""What predictors fitted on the trials say of candidates: accuracy and the limited metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from nasprof.predict._cost_mixture import MIN_COSTS, CostMixture
from nasprof.predict._kept import Kept
from nasprof.predict._normal import deviation
from nasprof.predict._predictor import Array, Constant, Fitted, Predicted, Predictor
from nasprof.search.cost_features import CostFeatures, Elsewhere, cost_features
from nasprof.search.features import features
from nasprof.search.pool import WHOLE, whole_pool
from nasprof.search.problem import SearchProblem
from nasprof.spaces._genes import space_size
from nasprof.spaces._space import Genes, Space
from profiler.core.choice import Constraint
from profiler.store.records import TrialRecord


@dataclass(frozen=True, slots=True)
class Standing:
    """Where candidates stand against the limits, by prediction; between the two they straddle one.

    Shapes: inside, outside [n].
    """

    inside: NDArray[np.bool_]
    outside: NDArray[np.bool_]


def predict_accuracy(
    predictor: Predictor,
    problem: SearchProblem,
    history: Sequence[TrialRecord],
    x: Array,
    seed: int,
) -> Predicted:
    """Predict accuracies from the trials whose accuracy is known; x [n, d]."""
    known = [trial for trial in history if trial.accuracy is not None]
    rows = features(problem.space, [trial.candidate.genes for trial in known])
    scores = np.array([trial.accuracy for trial in known], dtype=np.float64)
    return predictor.fit(rows, scores, seed).predict(x)


def predict_costs(
    problem: SearchProblem, history: Sequence[TrialRecord], costs: CostFeatures
) -> dict[Constraint, Predicted]:
    """Predict every limited metric from the trials in which it was measured."""
    return {
        constraint: predict_cost(problem, history, constraint.key, costs)
        for constraint in problem.constraints
    }


def predict_cost(
    problem: SearchProblem, history: Sequence[TrialRecord], key: str, costs: CostFeatures
) -> Predicted:
    """Predict one metric from the trials in which it was measured."""
    # A failed trial may have been measured before it failed.
    known = tuple(
        (trial.candidate.genes, value)
        for trial in history
        if (value := trial.metrics.get(key)) is not None and value > 0
    )
    fitted = _fitted(Kept(problem.space), Kept(problem.elsewhere), known)
    return _predicted(Kept(fitted), Kept(costs))


def standing(predicted: Mapping[Constraint, Predicted], count: int) -> Standing:
    """Judge `count` candidates by the whole interval of each limited metric."""
    inside = np.ones(count, dtype=np.bool_)
    outside = np.zeros(count, dtype=np.bool_)
    for constraint, costs in predicted.items():
        inside &= costs.high <= constraint.limit
        outside |= costs.low > constraint.limit
    return Standing(inside, outside)


def log_inside(predicted: Mapping[Constraint, Predicted], count: int) -> Array:
    """Logarithm of the probability that each of `count` candidates is inside every limit."""
    total = np.zeros(count)
    for constraint, costs in predicted.items():
        total += log_ndtr((constraint.limit - costs.mean) / deviation(costs))
    return total


def log_inside_of(
    problem: SearchProblem, history: Sequence[TrialRecord], trials: Sequence[TrialRecord]
) -> Array:
    """Logarithm of the probability that trials are inside, 0 or far below where it was measured."""
    genes = [trial.candidate.genes for trial in trials]
    if space_size(problem.space) <= WHOLE:
        # All of the space was predicted for the last proposal, and its features are at hand.
        whole = whole_pool(problem)
        if (places := whole.places(problem.space, genes)) is not None:
            every = predict_costs(problem, history, whole.costs)
            return log_inside_known({c: said.at(places) for c, said in every.items()}, trials)
    costs = cost_features(problem.space, genes, problem.elsewhere)
    return log_inside_known(predict_costs(problem, history, costs), trials)


def log_inside_known(
    predicted: Mapping[Constraint, Predicted], trials: Sequence[TrialRecord]
) -> Array:
    """The same from the predictions for just these trials."""
    total = np.zeros(len(trials))
    for constraint, costs in predicted.items():
        guess = log_ndtr((constraint.limit - costs.mean) / deviation(costs))
        for i, trial in enumerate(trials):
            value = trial.metrics.get(constraint.key)
            total[i] += guess[i] if value is None else (0.0 if value <= constraint.limit else -1e9)
    return total


@lru_cache(maxsize=16)
def _fitted(
    space: Kept[Space],
    elsewhere: Kept[Elsewhere | None],
    known: tuple[tuple[Genes, float], ...],
) -> Fitted:
    if len(known) < MIN_COSTS:
        return Constant(known[0][1] if known else 1.0)
    rows = cost_features(space.value, [genes for genes, _ in known], elsewhere.value)
    return CostMixture(rows.widths).fit(rows.x, np.array([value for _, value in known]))


# Between two measurements nothing is learnt about costs: the same question comes many times.
@lru_cache(maxsize=4)
def _predicted(fitted: Kept[Fitted], costs: Kept[CostFeatures]) -> Predicted:
    return fitted.value.predict(costs.value.x)
