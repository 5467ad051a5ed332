"""The search: explore, confirm, report; every step is in the store before the next begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from nasprof.search.claim import driving
from nasprof.search.constraints import show, show_value
from nasprof.search.finalists import Finalist, confirm, reported
from nasprof.search.problem import SearchProblem, check_problem, is_inside, known_overrun, overrun
from nasprof.search.strategies._strategy import Strategy
from nasprof.search.trials import Count, Evaluate, Measure, OnTrial, explore
from profiler.core.errors import InputError, StoreError
from profiler.core.plugins import load
from profiler.core.units import printable
from profiler.store.records import (
    SearchRecord,
    SearchState,
    TrialRecord,
    TrialState,
)
from profiler.store.store import Store


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found.

    `pareto` are the networks to report: inside every limit twice, with the metrics of the second
    measurement. `finalists` are all that were measured again, with why some were dropped. `nearest`
    is the trial with the least overrun when none was inside. `notes` are sentences for the person,
    `flags` the verdicts of reported latencies that are not valid, by trial and runtime.
    """

    problem: SearchProblem
    trials: tuple[TrialRecord, ...]
    pareto: tuple[TrialRecord, ...]
    finalists: tuple[Finalist, ...]
    nearest: TrialRecord | None
    notes: tuple[str, ...]
    flags: Mapping[tuple[int, str], str] = field(default_factory=dict)


def search_record(problem: SearchProblem, name: str, accuracy: str) -> SearchRecord:
    """The problem as the store keeps it; `accuracy` is the evaluator as the person named it."""
    return SearchRecord(
        name=name,
        space=problem.space.name,
        strategy=problem.strategy,
        accuracy=accuracy,
        constraints=problem.constraints,
        queries=problem.queries,
        seed=problem.seed,
        config={
            "trials": problem.most_trials,
            "initial": problem.initial,
            "finalists": problem.finalists,
        },
        objectives=problem.objectives,
    )


def run_search(
    problem: SearchProblem,
    name: str,
    *,
    measure: Measure,
    evaluate: Evaluate,
    count: Count | None = None,
    store: Store,
    on_trial: OnTrial = lambda trial: None,
) -> SearchResult:
    """Run a search that is in the store, from its beginning or from where it was left.

    Interrupted or failed, it keeps every finished trial, is marked as interrupted and can be run
    again.
    Raises: InputError for an unknown strategy or search or one that another process drives;
    MeasurementError when no candidate works; StoreError; KeyboardInterrupt.
    """
    check_problem(problem)
    strategy: Strategy = load("nasprof.search.strategies", problem.strategy)
    if store.load_search(name) is None:
        raise InputError(f"there is no search {name!r} in the store; create it first")
    with driving(store, name) as check_mine:
        state = SearchState.INTERRUPTED
        try:
            store.set_search_state(name, SearchState.RUNNING)
            run = _Run(problem, name, store, measure, on_trial, check_mine)
            result = run.through(strategy, evaluate, count)
            state = SearchState.DONE
            return result
        finally:
            store.set_search_state(name, state)


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a search: what all its steps need."""

    problem: SearchProblem
    name: str
    store: Store
    measure: Measure
    on_trial: OnTrial
    check_mine: Callable[[], None]

    def through(self, strategy: Strategy, evaluate: Evaluate, count: Count | None) -> SearchResult:
        """Explore, then measure the best again."""
        trials = explore(
            self.problem,
            strategy,
            measure=self.measure,
            evaluate=evaluate,
            count=count,
            done=self._finished(),
            on_trial=self._keep_trial,
        )
        done = self.store.finalists(self.name)
        finalists = confirm(self.problem, trials, self.measure, done, self._keep_finalist)
        return summarise(self.problem, trials, finalists)

    def _finished(self) -> list[TrialRecord]:
        finished = [t for t in self.store.trials(self.name) if t.state is not TrialState.PROPOSED]
        if [trial.number for trial in finished] != list(range(len(finished))):
            raise StoreError(f"search {self.name!r} lacks a trial in between; start a new search")
        return finished

    def _keep_trial(self, trial: TrialRecord) -> None:
        self.check_mine()
        self.store.put_trial(self.name, trial)
        self.on_trial(trial)

    def _keep_finalist(self, finalist: Finalist) -> None:
        self.check_mine()
        if finalist.again is not None:
            self.store.put_finalist(self.name, finalist.again)


def summarise(
    problem: SearchProblem, trials: Sequence[TrialRecord], finalists: Sequence[Finalist]
) -> SearchResult:
    """Say what trials and second measurements amount to."""
    inside = [trial for trial in trials if is_inside(problem, trial)]
    nearest = None if inside else _nearest(problem, trials)
    pareto = reported(problem, finalists)
    notes = [
        f"{problem.space.describe(f.trial.candidate.genes)} is not reported: {f.dropped}"
        for f in finalists
        if f.dropped is not None
    ]
    notes += _failures(trials)
    if not inside:
        notes.append(_nothing_inside(problem, trials, nearest))
    elif not pareto:
        notes.append("no network held its limits when it was measured again")
    return SearchResult(
        problem, tuple(trials), tuple(pareto), tuple(finalists), nearest, tuple(notes)
    )


def _failures(trials: Sequence[TrialRecord]) -> list[str]:
    failed = [trial for trial in trials if trial.state is TrialState.FAILED]
    if not failed:
        return []
    why = printable(str(failed[0].record.get("error", "the reason was not kept")), 300)
    return [
        f"{len(failed)} of {len(trials)} candidates failed, the first (#{failed[0].number}): {why}"
    ]


def _nearest(problem: SearchProblem, trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """The least outside; of those that were not measured, by what is known of them."""

    def distance(trial: TrialRecord) -> float:
        return min(overrun(problem, trial), known_overrun(problem, trial) or float("inf"))

    done = [t for t in trials if t.state is TrialState.DONE and distance(t) < float("inf")]
    return min(done, key=lambda trial: (distance(trial), trial.number), default=None)


def _nothing_inside(
    problem: SearchProblem, trials: Sequence[TrialRecord], nearest: TrialRecord | None
) -> str:
    limits = " and ".join(show(constraint) for constraint in problem.constraints)
    if nearest is None:
        return f"none of {len(trials)} candidates could be measured"
    values = ", ".join(
        f"{c.key} {show_value(c.metric, value)}"
        for c in problem.constraints
        if (value := nearest.metrics.get(c.key)) is not None
    )
    text = problem.space.describe(nearest.candidate.genes)
    judged = sum(trial.state is TrialState.DONE for trial in trials)
    return f"none of {judged} candidates met {limits}; the nearest is {text} with {values}"
