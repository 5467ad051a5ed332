"""All that a report needs, read from the store once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from profiler.core.cost import GraphCost
from profiler.core.environment import Environment
from profiler.core.errors import InputError
from profiler.core.outcome import Measurement
from profiler.core.target import BenchPlan
from profiler.store.records import Calibration, ModelRecord, OutcomeRecord, SearchRecord
from profiler.store.store import Store
from reports.quantities import shown
from reports.rows import Row, outcome_row
from reports.search_view import Point, SearchView, view_search
from reports.variants import beside_fp32


@dataclass(frozen=True, slots=True)
class Subject:
    """A row with what it was made from; `measurement` is None for a failure."""

    row: Row
    measurement: Measurement | None
    cost: GraphCost | None


@dataclass(frozen=True, slots=True)
class Material:
    """What the store holds, ready to be shown; subjects are newest first."""

    subjects: tuple[Subject, ...]
    models: Mapping[str, ModelRecord]
    environments: Mapping[str, Environment]
    plans: Mapping[str, BenchPlan]
    search: SearchView | None
    searches: tuple[SearchRecord, ...]
    calibrations: Mapping[tuple[str, int], Calibration]

    @property
    def rows(self) -> list[Row]:
        """The rows of all subjects."""
        return [subject.row for subject in self.subjects]

    @property
    def shown(self) -> list[Subject]:
        """Measurements without those that were repeated later."""
        return [s for s in self.subjects if s.row.newest and s.measurement is not None]

    @property
    def failures(self) -> list[Row]:
        """The failed attempts."""
        return [row for row in self.rows if row.status == "failure"]


def gather(
    store: Store, *, search: str | None = None, sessions: Sequence[str] | None = None
) -> Material:
    """Read outcomes, models, machines and one search: the named one, else the newest.

    Raises: InputError when there is no search of that name.
    """
    searches = store.searches()
    view = _view(store, _chosen(searches, search))
    trials = _trials(view)
    costs: dict[tuple[str, str], GraphCost | None] = {}
    subjects, seen = [], set()
    records = store.records(sessions=sessions)
    for record in records:
        outcome = record.outcome
        row = outcome_row(outcome, _cost(store, record, costs), record.created_at)
        same = (row.model_sha256, outcome.target, outcome.plan, row.environment_key, row.status)
        row = replace(row, newest=same not in seen)
        if (trial := trials.get((row.session, row.model_sha256))) is not None:
            row = trial.mark(row)
        seen.add(same)
        measurement = outcome if isinstance(outcome, Measurement) else None
        subjects.append(Subject(row, measurement, _cost(store, record, costs)))
    rows = beside_fp32([subject.row for subject in subjects])
    subjects = [replace(s, row=row) for s, row in zip(subjects, rows, strict=True)]
    used = {row.environment_key for row in (subject.row for subject in subjects)}
    return Material(
        subjects=tuple(subjects),
        models={model.sha256: model for model in store.models()},
        environments={e.key: e for e in store.environments() if e.key in used},
        plans={record.outcome.plan.key: record.outcome.plan for record in records},
        search=view,
        searches=tuple(searches),
        calibrations=_calibrations(store, [subject.row for subject in subjects]),
    )


def _calibrations(store: Store, rows: Sequence[Row]) -> dict[tuple[str, int], Calibration]:
    """The newest calibration of every machine and thread count that was measured on."""
    found = {}
    for key in {(row.environment_key, row.threads) for row in rows}:
        calibration = store.calibration(*key)
        if calibration is not None:
            found[key] = calibration
    return found


def _chosen(searches: Sequence[SearchRecord], name: str | None) -> SearchRecord | None:
    if name is None:
        return searches[0] if searches else None
    for record in searches:
        if record.name == name:
            return record
    there = ", ".join(shown(record.name, 60) for record in searches) or "none"
    raise InputError(f"there is no search {shown(name)!r} in the store; there are: {there}")


def _view(store: Store, record: SearchRecord | None) -> SearchView | None:
    if record is None:
        return None
    return view_search(record, store.trials(record.name), store.finalists(record.name))


@dataclass(frozen=True, slots=True)
class _Trial:
    """The trial that a measurement belongs to."""

    search: str
    point: Point
    again: bool

    def mark(self, row: Row) -> Row:
        point = self.point
        return replace(
            row, search=self.search, trial=point.number, candidate=point.key, again=self.again
        )


def _trials(view: SearchView | None) -> dict[tuple[str, str], _Trial]:
    """Trials by the session and model of their measurements."""
    if view is None:
        return {}
    name = view.record.name
    found = [(point.session, point, False) for point in view.points]
    found += [(front.session, front.point, True) for front in view.again]
    return {
        (session, point.model_sha256): _Trial(name, point, again)
        for session, point, again in found
        if session and point.model_sha256
    }


def _cost(
    store: Store, record: OutcomeRecord, known: dict[tuple[str, str], GraphCost | None]
) -> GraphCost | None:
    outcome = record.outcome
    key = (outcome.model_sha256, repr(outcome.plan.dims))
    if key not in known:
        # A model without symbolic dimensions has one cost, whatever sizes the plan names.
        found = store.cost(outcome.model_sha256, outcome.plan.dims)
        known[key] = found or store.cost(outcome.model_sha256)
    return known[key]
