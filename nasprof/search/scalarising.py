"""One score for several objectives, so that every strategy can search for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nasprof.predict._predictor import Array
from nasprof.search.beliefs import predict_cost
from nasprof.search.cost_features import cost_features
from nasprof.search.problem import SearchProblem
from profiler.store.records import TrialRecord, TrialState

_SUM = 0.05
"""Share of the weighted sum in the score: it parts candidates that are equal in the worst part."""


def as_one(
    problem: SearchProblem, history: Sequence[TrialRecord], rng: np.random.Generator
) -> list[TrialRecord]:
    """The history with one score in place of the accuracy; with one objective, as it is.

    The score is the augmented Chebyshev distance to the best of every objective, under weights that
    the generator draws anew each time, so that in the long run the whole Pareto set is looked for.
    Costs are compared by their logarithms; one that was not measured is predicted.
    Source: Knowles, "ParEGO", 2006, equation 2; weights uniform on the simplex.
    """
    known = [t for t in history if t.state is TrialState.DONE and t.accuracy is not None]
    if not problem.several or not known:
        return list(history)
    accuracies = np.array([trial.accuracy for trial in known], dtype=np.float64)
    costs = [_log_costs(problem, history, known, o.key) for o in problem.objectives[1:]]
    losses = [-accuracies, *costs]
    weights = rng.dirichlet(np.ones(len(losses)))
    scores = dict(zip((t.number for t in known), scored_losses(losses, weights), strict=True))
    return [
        replace(trial, accuracy=float(scores[trial.number])) if trial.number in scores else trial
        for trial in history
    ]


def scored_losses(losses: Sequence[Array], weights: Array) -> Array:
    """Scores in 0..1, 1 for what is best in all; losses [n] each, made to reach from 0 to 1."""
    parts = np.stack([_unit(loss) for loss in losses]) * weights[:, None]
    score: Array = 1.0 - (parts.max(axis=0) + _SUM * parts.sum(axis=0)) / (1.0 + _SUM)
    return score


def _unit(loss: Array) -> Array:
    span = float(loss.max() - loss.min())
    return (loss - loss.min()) / span if span > 0 else np.zeros_like(loss)


def _log_costs(
    problem: SearchProblem, history: Sequence[TrialRecord], known: Sequence[TrialRecord], key: str
) -> Array:
    costs = np.array([trial.metrics.get(key) or np.nan for trial in known], dtype=np.float64)
    if np.any(silent := np.isnan(costs)):
        genes = [trial.candidate.genes for trial in known]
        rows = cost_features(problem.space, genes, problem.elsewhere)
        costs[silent] = predict_cost(problem, history, key, rows).mean[silent]
    found: Array = np.log(costs)
    return found
