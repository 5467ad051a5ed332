"""Trying candidates one by one: measured, judged, trained, and kept whatever came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter_ns
from typing import Any, Protocol

import numpy as np

from nasprof.search.deciding import judge, unmeasured
from nasprof.search.economy import (
    OUTSIDE,
    inside_probability,
    latest,
    probes,
    queries,
    revisit,
)
from nasprof.search.problem import SearchProblem, known_overrun, overrun
from nasprof.search.scalarising import as_one
from nasprof.search.strategies._strategy import Strategy
from nasprof.spaces._space import Genes
from profiler.core.choice import Candidate
from profiler.core.errors import MeasurementError, StoreError, UnavailableError
from profiler.store.records import TrialRecord, TrialState

HOPELESS = 5
"""Failures in a row, with no success before, after which a search is given up."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a candidate.

    Unit: `metrics` are in base units by `Constraint.key` and hold every limited metric; `record` is
    anything else worth keeping, in JSON's types.
    """

    metrics: Mapping[str, float | None]
    session: str | None = None
    model_sha256: str | None = None
    record: Mapping[str, Any] | None = None


class Measure(Protocol):
    """Exports and measures a candidate."""

    def __call__(self, candidate: Candidate, *, again: bool) -> Measured:
        """Measure; `again` asks for a new measurement, in a session of its own."""
        ...


Count = Callable[[Candidate], Mapping[str, float | None]]
"""Says what is known of a candidate's limited metrics without a measurement, exactly."""

Evaluate = Callable[[Candidate], float]
"""Finds the accuracy of a candidate, a share in 0..1."""

OnTrial = Callable[[TrialRecord], None]
"""Told of every trial: first as proposed, then as done or failed."""


def explore(
    problem: SearchProblem,
    strategy: Strategy,
    *,
    measure: Measure,
    evaluate: Evaluate,
    count: Count | None = None,
    done: Sequence[TrialRecord] = (),
    on_trial: OnTrial,
) -> list[TrialRecord]:
    """Try candidates until the budget is spent or nothing is left, and return all trials.

    A candidate that `count` shows to be outside a limit is neither measured nor trained; only the
    first ones of a search with few measurements are measured all the same, to learn what costs.
    `done` are the finished trials of an earlier run. The batch that it was killed in is proposed
    again from what was known when it began, so the search goes on as if it had not been killed.
    Raises: MeasurementError when nothing works; StoreError and UnavailableError as they come.
    """
    trials = list(done)
    start = int(trials[-1].record.get("batch", 0)) if trials else 0
    while not _spent(problem, trials):
        batch = _batch(problem, strategy, trials[:start])
        if not batch:
            break
        for genes in batch[len(trials) - start :]:
            if _spent(problem, trials):
                break
            candidate = Candidate(problem.space.name, genes)
            proposed = TrialRecord(
                len(trials), candidate, TrialState.PROPOSED, record={"batch": start}
            )
            on_trial(proposed)
            trials.append(_try(problem, trials, proposed, _Find(measure, evaluate, count)))
            on_trial(trials[-1])
            _check_hope(problem, trials, len(done))
        start = len(trials)
    return trials


def _check_hope(problem: SearchProblem, trials: Sequence[TrialRecord], earlier: int) -> None:
    """Raises: MeasurementError when all that was tried in this run failed."""
    new = trials[earlier:]
    if len(new) == HOPELESS and all(trial.state is TrialState.FAILED for trial in new):
        text = problem.space.describe(new[-1].candidate.genes)
        raise MeasurementError(
            f"{HOPELESS} candidates in a row failed; the last, {text}: {new[-1].record['error']}"
        )


def _batch(
    problem: SearchProblem, strategy: Strategy, history: Sequence[TrialRecord]
) -> list[Genes]:
    rng = np.random.default_rng([problem.seed, len(history)])
    if problem.measurements is not None and not history:
        return probes(problem, rng)
    # A strategy that knows several objectives sees the history as it is.
    own = getattr(strategy, "several", False)
    seen = list(history) if own else as_one(problem, history, rng)
    if problem.measurements is not None and (again := revisit(problem, seen)) is not None:
        return [again]
    count = min(strategy.batch, problem.queries - queries(history))
    if problem.predicted:
        count = min(count, problem.most_trials - len(history))
    found = strategy.propose(problem, seen, count, rng) if count > 0 else []
    if not found and problem.predicted and (last := unmeasured(problem, history)) is not None:
        return [last]
    return found


@dataclass(frozen=True, slots=True)
class _Find:
    """Finds out about a candidate; each method gives its trial with what was found."""

    measure: Measure
    evaluate: Evaluate
    count: Count | None

    def counted(self, trial: TrialRecord) -> TrialRecord:
        """What is known without a measurement."""
        return trial if self.count is None else replace(trial, metrics=self.count(trial.candidate))

    def measured(self, trial: TrialRecord) -> TrialRecord:
        """Measure it."""
        found = self.measure(trial.candidate, again=False)
        return replace(
            trial,
            metrics=dict(found.metrics),
            session=found.session,
            model_sha256=found.model_sha256,
            record=dict(trial.record) | dict(found.record or {}),
        )

    def trained(self, trial: TrialRecord) -> TrialRecord:
        """Find its accuracy."""
        return replace(trial, accuracy=_share(self.evaluate(trial.candidate)))


def _try(
    problem: SearchProblem,
    history: Sequence[TrialRecord],
    proposed: TrialRecord,
    find: _Find,
) -> TrialRecord:
    """Find out about one candidate; whatever goes wrong with it is kept and ends nothing else."""
    started = perf_counter_ns()
    trial = proposed
    steps = _steps if problem.measurements is None else _thrifty_steps
    if problem.predicted:
        steps = _deciding_steps
    try:
        trial = known = find.counted(proposed)
        if _outside(problem, history, known):
            steps = _no_steps
        for trial in steps(problem, history, known, find):  # noqa: B007
            pass
        trial = replace(trial, state=TrialState.DONE)
    except (StoreError, UnavailableError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this candidate's
        text = f"{type(error).__name__}: {error}"
        record = dict(trial.record) | {"error": text}
        trial = replace(trial, state=TrialState.FAILED, accuracy=None, record=record)
    elapsed_s = (perf_counter_ns() - started) / 1e9
    return replace(trial, record=dict(trial.record) | {"elapsed_s": elapsed_s})


def _outside(problem: SearchProblem, history: Sequence[TrialRecord], trial: TrialRecord) -> bool:
    """Whether it is outside a limit by what is known of it, and not measured to learn from."""
    probe = problem.measurements is not None and trial.record["batch"] == 0
    return not probe and _again(history, trial) is None and known_overrun(problem, trial) > 0


def _no_steps(
    problem: SearchProblem, history: Sequence[TrialRecord], proposed: TrialRecord, find: _Find
) -> Iterator[TrialRecord]:
    """Leave it at what is known."""
    yield proposed


def _steps(
    problem: SearchProblem,
    history: Sequence[TrialRecord],
    proposed: TrialRecord,
    find: _Find,
) -> Iterator[TrialRecord]:
    """Measure, then find the accuracy if it is inside the limits; yields what is known by then."""
    trial = find.measured(proposed)
    yield trial
    if overrun(problem, trial) <= 0:
        yield find.trained(trial)


def _thrifty_steps(
    problem: SearchProblem,
    history: Sequence[TrialRecord],
    proposed: TrialRecord,
    find: _Find,
) -> Iterator[TrialRecord]:
    """Measure a probe or a candidate met before; find the accuracy of one not clearly outside."""
    if (again := _again(history, proposed)) is not None:
        yield again
        yield find.measured(again)
    elif proposed.record["batch"] == 0:
        yield find.measured(proposed)
    else:
        probability = inside_probability(problem, history, proposed)
        record = dict(proposed.record) | {"inside_probability": probability}
        trial = replace(proposed, record=record)
        yield trial
        if probability > OUTSIDE:
            yield find.trained(trial)


def _deciding_steps(
    problem: SearchProblem,
    history: Sequence[TrialRecord],
    proposed: TrialRecord,
    find: _Find,
) -> Iterator[TrialRecord]:
    """Measure only where prediction doesn't decide, or where a cost is an objective too."""
    if (again := _again(history, proposed)) is not None:
        yield again
        yield find.measured(again)
        return
    judged = judge(problem, history, proposed)
    record = {} if judged is None else judged.record
    trial = replace(proposed, record=dict(proposed.record) | record)
    if judged is not None and judged.inside is False:
        yield trial
    elif judged is not None and judged.inside and not problem.several:
        yield trial
        yield find.trained(trial)
    else:
        yield from _steps(problem, history, trial, find)


def _again(history: Sequence[TrialRecord], proposed: TrialRecord) -> TrialRecord | None:
    """A candidate met before, with its accuracy, or None for a new one."""
    before = [trial for trial in latest(history) if trial.candidate == proposed.candidate]
    if not before:
        return None
    record = dict(proposed.record) | {"revisits": before[0].number}
    return replace(proposed, accuracy=before[0].accuracy, record=record)


def _share(accuracy: float) -> float:
    if not (math.isfinite(accuracy) and 0 <= accuracy <= 1):
        raise ValueError(f"an accuracy must be a share in 0..1, not {accuracy}")
    return float(accuracy)


def _spent(problem: SearchProblem, trials: Sequence[TrialRecord]) -> bool:
    """Whether nothing more may be tried; a thrifty search ends with measurements, not queries.

    The time is that of the trials, of earlier runs of the search too.
    """
    if problem.seconds is not None:
        taken = sum(float(trial.record.get("elapsed_s", 0.0)) for trial in trials)
        if taken >= problem.seconds:
            return True
    if problem.predicted:
        return False
    no_queries = problem.measurements is None and queries(trials) >= problem.queries
    return no_queries or len(trials) >= problem.most_trials
