"""nasprof's spaces in Optuna, and nasprof's strategies as an Optuna sampler.

study = optuna.create_study(sampler=NasprofSampler("nasbench201", "weaknas"), direction="maximize")
study.optimize(my_objective, n_trials=40)          # our strategy drives your objective

study = search_with(optuna.samplers.TPESampler(seed=0), problem, measure, evaluate)
                                                   # Optuna's sampler drives a space of ours
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from profiler.core.errors import UnavailableError

try:
    import optuna as optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
    from optuna.trial import FrozenTrial
except ImportError as error:
    raise UnavailableError(
        "Optuna is not installed; install it with: pip install 'nasprof[optuna]'"
    ) from error

from nasprof.search.problem import SearchProblem, overrun
from nasprof.search.strategies._strategy import Strategy
from nasprof.search.trials import Evaluate, Measure
from nasprof.spaces._open import open_space
from nasprof.spaces._space import Genes, Space
from profiler.core.choice import Candidate
from profiler.core.plugins import load
from profiler.store.records import TrialRecord, TrialState

_OUTSIDE = "limits"


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """One parameter a gene: its place in a list of rising numbers, else a category."""
    return {
        name: IntDistribution(0, len(options) - 1)
        if all(isinstance(option, int | float) for option in options)
        else CategoricalDistribution(tuple(range(len(options))))
        for name, options in zip(space.gene_names, space.choices, strict=True)
    }


def genes_of(space: Space, params: Mapping[str, Any]) -> Genes:
    """The genes that Optuna's parameters stand for."""
    return tuple(int(params[name]) for name in space.gene_names)


def values_of(problem: SearchProblem, record: TrialRecord) -> list[float]:
    """Objectives of a trial: accuracy (0 where it is not known), then the costs to trade it for.

    A cost that is not known counts as ten times its limit, or as more than any.
    """
    limits = {constraint.key: constraint.limit for constraint in problem.constraints}
    costs = [(record.metrics.get(key), limits.get(key, 1e29)) for key in problem.traded]
    return [record.accuracy or 0.0, *(10 * limit if c is None else c for c, limit in costs)]


def search_with(
    sampler: optuna.samplers.BaseSampler,
    problem: SearchProblem,
    measure: Measure,
    evaluate: Evaluate,
    *,
    trials: int | None = None,
) -> optuna.Study:
    """Let one of Optuna's samplers search a space of ours for accuracy under its limits.

    Every candidate is measured, one inside the limits is evaluated too. Trials carry Optuna's
    constraints, so samplers that know them prefer the feasible; the metrics are user attributes.
    A candidate that is met again takes over what was found and costs nothing.
    Raises: whatever `measure` and `evaluate` raise.
    """
    space, known = problem.space, dict[Genes, TrialRecord]()
    study = optuna.create_study(direction="maximize", sampler=sampler)
    queries = 0
    for _ in range(trials or problem.most_trials):
        if queries >= problem.queries:
            break
        trial = study.ask(distributions(space))
        genes = genes_of(space, trial.params)
        if not space.valid(genes):
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        form = space.canonical(genes)
        if form not in known:
            known[form] = _tried(problem, genes, measure, evaluate, len(known))
            queries += known[form].accuracy is not None
        record = known[form]
        trial.set_constraint(_OUTSIDE, max(-1.0, min(overrun(problem, record), 1e9)))
        trial.set_user_attr("architecture", space.describe(genes))
        for key, value in record.metrics.items():
            trial.set_user_attr(key, value)
        study.tell(trial, record.accuracy or 0.0)
    return study


def _tried(
    problem: SearchProblem, genes: Genes, measure: Measure, evaluate: Evaluate, number: int
) -> TrialRecord:
    candidate = Candidate(problem.space.name, genes)
    metrics = dict(measure(candidate, again=False).metrics) if problem.costs else {}
    record = TrialRecord(number, candidate, TrialState.DONE, metrics=metrics)
    if overrun(problem, record) > 0:
        return record
    return TrialRecord(
        number, candidate, TrialState.DONE, accuracy=evaluate(candidate), metrics=metrics
    )


class NasprofSampler(optuna.samplers.BaseSampler):
    """One of our strategies as a sampler of Optuna: the parameters are the genes of a space.

    The objective asks for each gene with `suggest(trial, space)` or by the names and sizes of
    `distributions`. It works for one objective; trials that failed, or have a constraint above 0,
    are outside. Same seed, same trials.
    Raises: InputError for an unknown space or strategy.
    """

    def __init__(
        self, space: Space | str, strategy: str = "weaknas", *, seed: int = 0, queries: int = 1000
    ) -> None:
        self._space = open_space(space) if isinstance(space, str) else space
        self._strategy: Strategy = load("nasprof.search.strategies", strategy)
        self._problem = SearchProblem(self._space, strategy=strategy, seed=seed, queries=queries)
        self._waiting: list[Genes] = []
        self._random = optuna.samplers.RandomSampler(seed=seed)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The genes of the space."""
        return distributions(self._space)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next proposal of the strategy, as parameters."""
        history = _history(self._space, study)
        known = {self._space.canonical(record.candidate.genes) for record in history}
        self._waiting = [g for g in self._waiting if self._space.canonical(g) not in known]
        if not self._waiting:
            rng = np.random.default_rng([self._problem.seed, len(history)])
            batch = self._strategy.batch
            self._waiting = self._strategy.propose(self._problem, history, batch, rng)
        if not self._waiting:
            study.stop()
            return {}
        return dict(zip(self._space.gene_names, self._waiting.pop(0), strict=True))

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A parameter that is no gene of the space, at random."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)


def suggest(trial: optuna.Trial, space: Space) -> Genes:
    """Ask a trial for the genes of a space."""
    found = []
    for name, kind in distributions(space).items():
        if isinstance(kind, IntDistribution):
            found.append(trial.suggest_int(name, kind.low, kind.high))
        else:
            assert isinstance(kind, CategoricalDistribution)
            found.append(int(trial.suggest_categorical(name, kind.choices)))  # type: ignore[arg-type]
    return tuple(found)


def _history(space: Space, study: optuna.Study) -> list[TrialRecord]:
    """Finished trials in nasprof's terms; the sign follows the study's direction."""
    sign = 1.0 if study.direction == optuna.study.StudyDirection.MAXIMIZE else -1.0
    names = set(space.gene_names)
    found: list[TrialRecord] = []
    for trial in study.get_trials(deepcopy=False):
        if not trial.state.is_finished() or not names <= trial.params.keys():
            continue
        candidate = Candidate(space.name, genes_of(space, trial.params))
        done = trial.state is optuna.trial.TrialState.COMPLETE and _feasible(trial)
        found.append(
            TrialRecord(
                len(found),
                candidate,
                TrialState.DONE if done else TrialState.FAILED,
                accuracy=sign * trial.values[0] if done and trial.values else None,
            )
        )
    return found


def _feasible(trial: FrozenTrial) -> bool:
    return all(value <= 0 for value in trial.constraints.values())
