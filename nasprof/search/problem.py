"""What a search is asked, and how its trials compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasprof.search.constraints import excess
from nasprof.search.cost_features import Elsewhere
from nasprof.spaces._space import Genes, Space
from profiler.core.choice import ACCURACY, Candidate, Constraint, Objective, traded_keys
from profiler.core.errors import InputError
from profiler.core.pareto import pareto_indices
from profiler.store.records import TrialRecord, TrialState


@dataclass(frozen=True, slots=True)
class SearchProblem:
    """A space, its limits and what may be spent.

    Unit: `queries` counts accuracies found; `trials` bounds all candidates tried, those outside a
    limit and failed ones too; `initial` are drawn at random before a strategy has anything to go
    by; `finalists` is how many are measured again. `measurements` bounds the candidates measured
    on a target: None measures every one, else prediction decides where it is sure enough. With
    `predicted` their number is not bounded, but only those are measured that stand on both sides
    of a limit by prediction. `seconds` bounds what all trials take together. Without `objectives`
    accuracy is the only one. `elsewhere` gives costs on other targets, for the prediction of costs
    to build on.
    """

    space: Space
    constraints: tuple[Constraint, ...] = ()
    strategy: str = "rank-ei"
    queries: int = 40
    trials: int | None = None
    initial: int = 10
    seed: int = 0
    finalists: int = 5
    measurements: int | None = None
    elsewhere: Elsewhere | None = None
    objectives: tuple[Objective, ...] = ()
    predicted: bool = False
    seconds: float | None = None

    @property
    def several(self) -> bool:
        """Whether more than accuracy is to be optimised."""
        return len(self.objectives) > 1

    @property
    def costs(self) -> tuple[str, ...]:
        """Keys of every metric that is limited or an objective, once each."""
        keys = [constraint.key for constraint in self.constraints]
        keys += [objective.key for objective in self.objectives if objective != ACCURACY]
        return tuple(dict.fromkeys(keys))

    @property
    def traded(self) -> list[str]:
        """Keys of the costs that accuracy is traded against in the Pareto set."""
        return traded_keys(self.constraints, self.objectives)

    @property
    def most_trials(self) -> int:
        """Trials after which the search ends even if accuracy queries are left."""
        return self.trials if self.trials is not None else 4 * self.queries


Fitness = tuple[int, float]
LEAST_MEASUREMENTS = 4


def check_problem(problem: SearchProblem) -> None:
    """Raises: InputError when a number of the problem cannot be."""
    for name in ("queries", "most_trials", "initial", "finalists"):
        if getattr(problem, name) < 1:
            raise InputError(f"{name.removeprefix('most_')} of a search must be 1 or more")
    if problem.measurements is not None and problem.measurements < LEAST_MEASUREMENTS:
        raise InputError(
            f"{problem.measurements} measurements are too few for a search: what is reported is "
            f"measured twice, and costs are learnt first; give {LEAST_MEASUREMENTS} or more"
        )
    if problem.seconds is not None and not problem.seconds > 0:
        raise InputError("seconds of a search must be more than 0")


def is_inside(problem: SearchProblem, trial: TrialRecord) -> bool:
    """Whether a trial ended well and is known to be inside every limit."""
    return trial.state is TrialState.DONE and overrun(problem, trial) <= 0


def overrun(problem: SearchProblem, trial: TrialRecord) -> float:
    """How far a trial is outside: the worst ratio to a limit less 1; at most 0 inside."""
    known = {key: value for key, value in trial.metrics.items() if value is not None}
    return excess(problem.constraints, known)


def known_overrun(problem: SearchProblem, trial: TrialRecord) -> float:
    """The same over the limits whose metric is known; at most 0 where none of them is broken."""
    known = {key: value for key, value in trial.metrics.items() if value is not None}
    return max(0.0, excess([c for c in problem.constraints if c.key in known], known))


def fitness(problem: SearchProblem, trial: TrialRecord) -> Fitness:
    """What strategies compare, greater is better: inside by accuracy, outside by overrun, failed.

    Source: the feasibility rules of Deb, "An efficient constraint handling method", 2000.
    """
    if trial.state is not TrialState.DONE:
        return (-2, 0.0)
    outside = overrun(problem, trial)
    likely = trial.record.get("inside_probability")
    if outside == float("inf"):
        if (surely := known_overrun(problem, trial)) > 0:
            outside = surely
        elif likely is not None:
            outside = max(0.0, 0.5 - float(likely))
    if outside > 0:
        return (-1, -outside)
    return (0, trial.accuracy) if trial.accuracy is not None else (-2, 0.0)


def best(trials: Sequence[TrialRecord], keys: Sequence[str]) -> list[TrialRecord]:
    """The Pareto set in accuracy and the costs of these keys, of trials that have all of them."""
    whole = [t for t in trials if all(t.metrics.get(key) is not None for key in keys)]
    points = [(-(t.accuracy or 0.0), *(t.metrics[key] or 0.0 for key in keys)) for t in whole]
    kept = [whole[i] for i in pareto_indices(points)]
    return sorted(kept, key=lambda trial: (-(trial.accuracy or 0.0), trial.number))


def scored(problem: SearchProblem, history: Sequence[TrialRecord]) -> dict[Genes, Fitness]:
    """Fitness of every tried candidate by its canonical genes."""
    return {
        problem.space.canonical(trial.candidate.genes): fitness(problem, trial) for trial in history
    }


def candidate(problem: SearchProblem, genes: Genes) -> Candidate:
    """Genes with the name of their space."""
    return Candidate(problem.space.name, genes)
