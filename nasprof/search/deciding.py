"""What prediction decides about limits, and what has to be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasprof.search.beliefs import log_inside, predict_costs, standing
from nasprof.search.cost_features import cost_features
from nasprof.search.economy import PROBES, is_measured, latest
from nasprof.search.problem import SearchProblem, best, is_inside
from nasprof.spaces._space import Genes
from profiler.store.records import TrialRecord


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a candidate stands to the limits by prediction; `inside` is None where it is unsure.

    Unit: `predicted` has low, mean and high in base units by the key of each limit.
    """

    inside: bool | None
    probability: float
    predicted: Mapping[str, tuple[float, float, float]]

    @property
    def record(self) -> dict[str, object]:
        """What a trial keeps of it."""
        values = {key: list(values) for key, values in self.predicted.items()}
        return {"inside_probability": self.probability, "predicted": values}


def judge(
    problem: SearchProblem, history: Sequence[TrialRecord], trial: TrialRecord
) -> Judgement | None:
    """Judge a candidate by the whole interval of each limited metric that is not known of it.

    None while fewer than `PROBES` candidates were measured: intervals of so few say too little.
    """
    if sum(is_measured(problem, earlier) for earlier in history) < PROBES:
        return None
    rows = cost_features(problem.space, [trial.candidate.genes], problem.elsewhere)
    costs = {
        limit: cost
        for limit, cost in predict_costs(problem, history, rows).items()
        if trial.metrics.get(limit.key) is None
    }
    stands = standing(costs, 1)
    inside = True if stands.inside[0] else False if stands.outside[0] else None
    predicted = {
        limit.key: (float(cost.low[0]), float(cost.mean[0]), float(cost.high[0]))
        for limit, cost in costs.items()
    }
    return Judgement(inside, float(np.exp(log_inside(costs, 1)[0])), predicted)


def unmeasured(problem: SearchProblem, history: Sequence[TrialRecord]) -> Genes | None:
    """The best candidate that would be reported by prediction and has to be measured before.

    Its costs are those predicted now. One that stands on both sides of a limit is taken to be just
    inside, so that a measurement rules it out and not a guess.
    """
    tried = latest(history)
    silent = {trial.number for trial in tried if not is_measured(problem, trial)}
    if not silent:
        return None
    rows = cost_features(problem.space, [t.candidate.genes for t in tried], problem.elsewhere)
    hoped = {
        limit.key: np.where(
            cost.low <= limit.limit, np.minimum(cost.mean, limit.limit), cost.mean
        ).tolist()
        for limit, cost in predict_costs(problem, history, rows).items()
    }
    filled = [
        replace(trial, metrics={key: costs[i] for key, costs in hoped.items()} | _known(trial))
        for i, trial in enumerate(tried)
    ]
    inside = [trial for trial in filled if is_inside(problem, trial)]
    reported = best(inside, problem.traded)[: problem.finalists]
    return next((t.candidate.genes for t in reported if t.number in silent), None)


def _known(trial: TrialRecord) -> dict[str, float]:
    return {key: value for key, value in trial.metrics.items() if value is not None}
