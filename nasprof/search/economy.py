"""A search with few measurements: what to measure, and what to leave to prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasprof.predict._normal import normal_scores
from nasprof.predict._predictor import Array
from nasprof.predict._threads import one_thread
from nasprof.search.beliefs import log_inside_of
from nasprof.search.cost_features import CostFeatures, cost_features
from nasprof.search.problem import SearchProblem
from nasprof.spaces._genes import sample_distinct
from nasprof.spaces._space import Genes
from profiler.store.records import TrialRecord, TrialState

PROBES = 8
"""Most candidates measured at the start, only to learn what things cost."""
PROBES_TRANSFER = 4
"""The same where costs on other targets are known: only how this one differs is to be learnt."""
AGAIN = 2
"""Most measurements kept for measuring what is reported a second time."""
EARLY = 0.2
"""Share of the accuracy queries without measurements: the best of the first is soon beaten."""
CAUTION = 1.5
"""Power of the chance to be inside when the next accuracy is chosen.

Those of the greatest product are often those whose chance is overrated: on noisy devices of the
published tables only about one in twenty of those taken with a chance below 0.3 was inside.
"""
OUTSIDE = 0.02
"""Probability of being inside below which no accuracy is asked for."""
_DRAWN = 400


def is_measured(problem: SearchProblem, trial: TrialRecord) -> bool:
    """Whether every metric that the problem names was measured in a trial."""
    return all(trial.metrics.get(key) is not None for key in problem.costs)


def left(problem: SearchProblem, trials: Sequence[TrialRecord], finalists: int = 0) -> int:
    """Measurements that may still be made; those that the store held already cost nothing."""
    assert problem.measurements is not None
    spent = [t for t in trials if is_measured(problem, t) and not t.record.get("from_store")]
    return problem.measurements - len(spent) - finalists


def probes(problem: SearchProblem, rng: np.random.Generator) -> list[Genes]:
    """Candidates to measure first: those that together say most about the cost of all others.

    Greedy: each next one takes away most of the variance that is left in a sample of the space.
    Source: own; the greedy form of A-optimal design for a linear model.
    """
    assert problem.measurements is not None
    count = min(_most_probes(problem), max(2, problem.measurements // 2))
    drawn = sample_distinct(problem.space, _DRAWN, rng)
    costs = cost_features(problem.space, drawn, problem.elsewhere)
    return [drawn[i] for i in _most_telling(costs, count)]


def _most_telling(costs: CostFeatures, count: int) -> list[int]:
    # Broad features come first in the groups and matter most, single genes least.
    weights = np.repeat([0.3] * (len(costs.widths) - 1) + [0.05], costs.widths)
    noise = 0.05
    with one_thread():
        variance = 10.0 + (costs.x * weights) @ costs.x.T
        chosen: list[int] = []
        for _ in range(min(count, len(variance))):
            gain = (variance**2).sum(axis=0) / (np.diag(variance) + noise)
            gain[chosen] = -1.0
            best = int(np.argmax(gain))
            chosen.append(best)
            column = variance[:, best].copy()
            variance -= np.outer(column, column) / (column[best] + noise)
    return chosen


def inside_probability(
    problem: SearchProblem, history: Sequence[TrialRecord], trial: TrialRecord
) -> float:
    """How likely a trial is inside every limit."""
    return float(np.exp(log_inside_of(problem, history, [trial])[0]))


def revisit(problem: SearchProblem, history: Sequence[TrialRecord]) -> Genes | None:
    """A candidate with a known accuracy that is to be measured now, if any.

    The measurements are spread evenly over the later accuracy queries; the last ones come at the
    end. The candidate is the one whose chance to be inside, times its gain over the best that is
    known to be inside, is the greatest.
    """
    if left(problem, history) <= _kept(problem) or _gap(problem, history) < _interval(
        problem, history
    ):
        return None
    if not (tried := latest(history)):
        return None
    scores = normal_scores(np.array([trial.accuracy for trial in tried], dtype=np.float64))
    chances = np.exp(log_inside_of(problem, history, tried))
    inside = scores[chances == 1.0]
    gains = scores - (inside.max() if len(inside) else scores.min() - 1.0)
    worth = [
        0.0 if is_measured(problem, trial) else float(chance * max(gain, 0.0))
        for trial, chance, gain in zip(tried, chances, gains, strict=True)
    ]
    best = int(np.argmax(worth))
    return tried[best].candidate.genes if worth[best] > 1e-6 else None


def latest(history: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The last trial of each candidate with a known accuracy: it holds all that is known of it.

    One that could not be measured when it was met again is out.
    """
    last = {trial.candidate.genes: trial for trial in history if trial.accuracy is not None}
    for trial in history:
        if trial.state is TrialState.FAILED and is_revisit(trial):
            last.pop(trial.candidate.genes, None)
    return list(last.values())


def is_revisit(trial: TrialRecord) -> bool:
    """Whether a trial measured a candidate whose accuracy was known before."""
    return "revisits" in trial.record


def queries(history: Sequence[TrialRecord]) -> int:
    """Accuracies found."""
    return sum(trial.accuracy is not None and not is_revisit(trial) for trial in history)


def _gap(problem: SearchProblem, history: Sequence[TrialRecord]) -> float:
    """Accuracy queries since the last measurement."""
    measured = [i for i, t in enumerate(history) if t.session or is_measured(problem, t)]
    return queries(history[measured[-1] + 1 :]) if measured else float("inf")


def _interval(problem: SearchProblem, history: Sequence[TrialRecord]) -> float:
    """Accuracy queries between two measurements; none once there are no more queries."""
    asked = queries(history)
    if asked >= problem.queries:
        return 0 if asked else 1
    early = EARLY * problem.queries
    if asked < early:
        return float("inf")
    assert problem.measurements is not None
    planned = problem.measurements - _most_probes(problem) - _kept(problem) + 1
    return max(1, int(problem.queries - early) // max(1, planned))


def _most_probes(problem: SearchProblem) -> int:
    return PROBES if problem.elsewhere is None else PROBES_TRANSFER


def _kept(problem: SearchProblem) -> int:
    return min(AGAIN, problem.finalists)


def expected_best(scores: Array, chances: Array) -> float:
    """Expected best score inside the limits among candidates that may each be inside.

    The best is inside with its own chance, else the second best is, and so on; with none inside it
    is the lowest score.
    """
    total, none_yet = 0.0, 1.0
    for i in np.argsort(-scores, kind="stable"):
        total += none_yet * chances[i] * scores[i]
        none_yet *= 1.0 - chances[i]
    return float(total + none_yet * scores.min())
