"""What a search is asked, and how its trials compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasprof.search.constraints import excess
from nasprof.search.cost_features import Elsewhere
from nasprof.spaces._space import Genes, Space
from profiler.core.choice import Candidate, Constraint
from profiler.core.errors import InputError
from profiler.store.records import TrialRecord, TrialState


@dataclass(frozen=True, slots=True)
class SearchProblem:
    """A space, its limits and what may be spent.

    Unit: `queries` counts accuracies found; `trials` bounds all candidates tried, those outside a
    limit and failed ones too; `initial` are drawn at random before a strategy has anything to go
    by; `finalists` is how many are measured again. `measurements` bounds the candidates measured
    on a target: None measures every one, else prediction decides where it is sure enough.
    `elsewhere` gives costs on other targets, for the prediction of costs to build on.
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

    @property
    def most_trials(self) -> int:
        """Trials after which the search ends even if accuracy queries are left."""
        return self.trials if self.trials is not None else 4 * self.queries


Fitness = tuple[int, float]


def check_problem(problem: SearchProblem) -> None:
    """Raises: InputError when a number of the problem cannot be."""
    for name in ("queries", "most_trials", "initial", "finalists"):
        if getattr(problem, name) < 1:
            raise InputError(f"{name.removeprefix('most_')} of a search must be 1 or more")


def is_inside(problem: SearchProblem, trial: TrialRecord) -> bool:
    """Whether a trial ended well and is known to be inside every limit."""
    return trial.state is TrialState.DONE and overrun(problem, trial) <= 0


def overrun(problem: SearchProblem, trial: TrialRecord) -> float:
    """How far a trial is outside: the worst ratio to a limit less 1; at most 0 inside."""
    known = {key: value for key, value in trial.metrics.items() if value is not None}
    return excess(problem.constraints, known)


def fitness(problem: SearchProblem, trial: TrialRecord) -> Fitness:
    """What strategies compare, greater is better: inside by accuracy, outside by overrun, failed.

    Source: the feasibility rules of Deb, "An efficient constraint handling method", 2000.
    """
    if trial.state is not TrialState.DONE:
        return (-2, 0.0)
    outside = overrun(problem, trial)
    likely = trial.record.get("inside_probability")
    if likely is not None and outside == float("inf"):
        outside = max(0.0, 0.5 - float(likely))
    if outside > 0:
        return (-1, -outside)
    return (0, trial.accuracy) if trial.accuracy is not None else (-2, 0.0)


def scored(problem: SearchProblem, history: Sequence[TrialRecord]) -> dict[Genes, Fitness]:
    """Fitness of every tried candidate by its canonical genes."""
    return {
        problem.space.canonical(trial.candidate.genes): fitness(problem, trial) for trial in history
    }


def candidate(problem: SearchProblem, genes: Genes) -> Candidate:
    """Genes with the name of their space."""
    return Candidate(problem.space.name, genes)
