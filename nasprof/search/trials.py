"""Trying candidates one by one: measured, judged, trained, and kept whatever came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Protocol

import numpy as np

from nasprof.search.problem import SearchProblem, overrun
from nasprof.search.strategies._strategy import Strategy
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
    done: Sequence[TrialRecord] = (),
    on_trial: OnTrial,
) -> list[TrialRecord]:
    """Try candidates until the budget is spent or nothing is left, and return all trials.

    `done` are the finished trials of an earlier run. The batch that it was killed in is proposed
    again from what was known when it began, so the search goes on as if it had not been killed.
    Raises: MeasurementError when nothing works; StoreError and UnavailableError as they come.
    """
    trials = list(done)
    start = int(trials[-1].record.get("batch", 0)) if trials else 0
    while not _spent(problem, trials):
        rng = np.random.default_rng([problem.seed, start])
        count = min(strategy.batch, problem.queries - _queries(trials[:start]))
        batch = strategy.propose(problem, trials[:start], count, rng)
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
            trials.append(_try(problem, proposed, measure, evaluate))
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


def _try(
    problem: SearchProblem, proposed: TrialRecord, measure: Measure, evaluate: Evaluate
) -> TrialRecord:
    """Measure a candidate, and find its accuracy if it is inside the limits."""
    started = perf_counter_ns()
    measured, accuracy, error = Measured({}), None, None
    try:
        measured = measure(proposed.candidate, again=False)
        measured_only = _record(proposed, measured, None, None, started)
        if overrun(problem, measured_only) <= 0:
            accuracy = _share(evaluate(proposed.candidate))
    except (StoreError, UnavailableError):
        raise
    except Exception as problem_of_candidate:  # noqa: BLE001 - whatever it is, it is one candidate's
        error = f"{type(problem_of_candidate).__name__}: {problem_of_candidate}"
    return _record(proposed, measured, accuracy, error, started)


def _record(
    proposed: TrialRecord,
    measured: Measured,
    accuracy: float | None,
    error: str | None,
    started_ns: int,
) -> TrialRecord:
    record = dict(proposed.record) | dict(measured.record or {})
    record["elapsed_s"] = (perf_counter_ns() - started_ns) / 1e9
    if error is not None:
        record["error"] = error
    return TrialRecord(
        proposed.number,
        proposed.candidate,
        TrialState.DONE if error is None else TrialState.FAILED,
        accuracy,
        dict(measured.metrics),
        measured.session,
        measured.model_sha256,
        record,
    )


def _share(accuracy: float) -> float:
    if not (math.isfinite(accuracy) and 0 <= accuracy <= 1):
        raise ValueError(f"an accuracy must be a share in 0..1, not {accuracy}")
    return float(accuracy)


def _queries(trials: Sequence[TrialRecord]) -> int:
    return sum(trial.accuracy is not None for trial in trials)


def _spent(problem: SearchProblem, trials: Sequence[TrialRecord]) -> bool:
    return _queries(trials) >= problem.queries or len(trials) >= problem.most_trials
