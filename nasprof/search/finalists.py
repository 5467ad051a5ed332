"""The Pareto set of a search, and its members measured again before they are reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from nasprof.search.constraints import excess, show_value
from nasprof.search.economy import left
from nasprof.search.problem import SearchProblem, best, is_inside
from nasprof.search.trials import Measure
from profiler.core.errors import StoreError
from profiler.store.records import FinalistRecord, TrialRecord


@dataclass(frozen=True, slots=True)
class Finalist:
    """A member of the Pareto set with its second measurement; `dropped` says why it is not kept."""

    trial: TrialRecord
    again: FinalistRecord | None
    dropped: str | None = None


def front(problem: SearchProblem, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Trials inside the limits that none beats in accuracy and every traded cost, best first.

    Without limits and further objectives the cost is the MACs where they are known, else accuracy
    alone decides.
    """
    inside = [t for t in trials if is_inside(problem, t) and t.accuracy is not None]
    keys = problem.traded
    if not keys and inside and all(t.metrics.get("macs") is not None for t in inside):
        keys = ["macs"]
    return best(inside, keys)


def confirm(
    problem: SearchProblem,
    trials: Sequence[TrialRecord],
    measure: Measure,
    done: Sequence[FinalistRecord] = (),
    on_finalist: Callable[[Finalist], None] = lambda finalist: None,
) -> list[Finalist]:
    """Measure the best of the Pareto set again; one that fails a limit now makes room for the next.

    `done` are second measurements of an earlier run, which are not repeated.
    Raises: StoreError as it comes.
    """
    stored = {record.number: record for record in done}
    finalists: dict[int, Finalist] = {}
    while sum(finalist.dropped is None for finalist in finalists.values()) < problem.finalists:
        trial = _next(problem, trials, finalists)
        if trial is None:
            break
        finalist = _second(problem, trial, measure, stored.get(trial.number))
        finalists[trial.number] = finalist
        on_finalist(finalist)
    return list(finalists.values())


def _next(
    problem: SearchProblem, trials: Sequence[TrialRecord], finalists: Mapping[int, Finalist]
) -> TrialRecord | None:
    """The best of the Pareto set that is neither a finalist yet nor dropped."""
    if problem.measurements is not None and left(problem, trials, len(finalists)) <= 0:
        return None
    known = [_with_again(trial, finalists.get(trial.number)) for trial in trials]
    alive = [t for t in known if t.number not in finalists or finalists[t.number].dropped is None]
    return next((t for t in front(problem, alive) if t.number not in finalists), None)


def _with_again(trial: TrialRecord, finalist: Finalist | None) -> TrialRecord:
    if finalist is None or finalist.again is None:
        return trial
    return replace(trial, metrics=dict(trial.metrics) | dict(finalist.again.metrics))


def reported(problem: SearchProblem, finalists: Sequence[Finalist]) -> list[TrialRecord]:
    """The Pareto set of the finalists that held, by what was measured the second time."""
    kept = [
        replace(f.trial, metrics=dict(f.trial.metrics) | dict(f.again.metrics))
        for f in finalists
        if f.dropped is None and f.again is not None
    ]
    return front(problem, kept)


def _second(
    problem: SearchProblem, trial: TrialRecord, measure: Measure, stored: FinalistRecord | None
) -> Finalist:
    try:
        record = stored or _measure_again(trial, measure)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, this network is not confirmed
        return Finalist(trial, None, f"could not be measured again: {error}")
    return Finalist(trial, record, _broken(problem, trial, record))


def _measure_again(trial: TrialRecord, measure: Measure) -> FinalistRecord:
    measured = measure(trial.candidate, again=True)
    session = measured.session or f"again-{trial.number}"
    return FinalistRecord(trial.number, session, dict(measured.metrics))


def _broken(problem: SearchProblem, trial: TrialRecord, record: FinalistRecord) -> str | None:
    """Why a second measurement rules a trial out, or None when every limit holds."""
    for constraint in problem.constraints:
        value = record.metrics.get(constraint.key)
        if value is None:
            return f"{constraint.key} gave no number when measured again"
        if excess((constraint,), {constraint.key: value}) > 0:
            first, second, limit = (
                show_value(constraint.metric, number)
                for number in (trial.metrics[constraint.key] or 0.0, value, constraint.limit)
            )
            return f"{constraint.key} was {first}, measured again {second}, over {limit}"
    return None
