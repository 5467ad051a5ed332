"""What predictors fitted on the trials say of candidates: accuracy and the limited metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasprof.predict._log import fit_log
from nasprof.predict._predictor import Array, Predicted, Predictor
from nasprof.search.features import features
from nasprof.search.problem import SearchProblem
from profiler.core.choice import Constraint
from profiler.core.plugins import load
from profiler.store.records import TrialRecord, TrialState

COST_PREDICTOR = "gp"
"""Predictor of limited metrics, in log space: its intervals widen far from what was measured."""


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


def predict_metric(
    problem: SearchProblem,
    history: Sequence[TrialRecord],
    constraint: Constraint,
    x: Array,
    seed: int,
) -> Predicted:
    """Predict a limited metric from the trials in which it is known; x [n, d]."""
    known = [
        (trial.candidate.genes, value)
        for trial in history
        if trial.state is TrialState.DONE and (value := trial.metrics.get(constraint.key))
    ]
    rows = features(problem.space, [genes for genes, _ in known])
    values = np.array([value for _, value in known], dtype=np.float64)
    return fit_log(load("nasprof.predict", COST_PREDICTOR), rows, values, seed).predict(x)


def standing(
    problem: SearchProblem, history: Sequence[TrialRecord], x: Array, seed: int
) -> Standing:
    """Judge candidates by the whole interval of each limited metric; x [n, d]."""
    inside = np.ones(len(x), dtype=np.bool_)
    outside = np.zeros(len(x), dtype=np.bool_)
    for constraint in problem.constraints:
        predicted = predict_metric(problem, history, constraint, x, seed)
        inside &= predicted.high <= constraint.limit
        outside |= predicted.low > constraint.limit
    return Standing(inside, outside)
