"""Attempts: one immutable row for each worker process, and the outcomes made of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from profiler.core.environment import Conditions
from profiler.core.outcome import (
    Attempt,
    Energy,
    Failure,
    FailureKind,
    Measurement,
    OutputError,
    Placement,
    Stage,
)
from profiler.core.plain import dump, from_plain, parse
from profiler.core.target import BenchPlan, Target
from profiler.core.tensor import TensorSpec
from profiler.store.records import HistoryEntry, OutcomeRecord
from profiler.store.samples import RoundHead, heads, pack, unpack
from profiler.store.schema import now_label
from profiler.store.tables import ATTEMPT

_FAILURE_DETAILS = ("exit_code", "signal", "log_tail", "elapsed_s")
# Fewer than SQLite's oldest limit on bound parameters (999).
_CHUNK = 500
_GROUP = (
    ATTEMPT.c.session,
    ATTEMPT.c.model_sha256,
    ATTEMPT.c.target,
    ATTEMPT.c.plan,
    ATTEMPT.c.environment_key,
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes an attempt the same attempt: putting it twice gives one row."""

    session: str
    number: int
    model_sha256: str
    target: Target
    plan: BenchPlan
    environment_key: str

    @property
    def digest(self) -> str:
        """A hash over all parts, unambiguous whatever they hold."""
        return hashlib.sha256(dump(self).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Filter:
    """Which outcomes are wanted; None means all. `targets` and `environments` are keys."""

    sessions: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    environments: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class _AttemptRecord:
    """An `Attempt` whose samples are kept apart."""

    started_ns: int | None
    load_ns: int
    first_run_ns: int
    warmup_runs: int
    warmup_settled: bool
    rounds: tuple[RoundHead, ...]
    base_rss_bytes: int
    peak_rss_bytes: int
    placement: tuple[Placement, ...]
    effective: tuple[tuple[str, str], ...]
    output_error: OutputError | None
    before: Conditions
    after: Conditions
    transfer_ns: int | None = None
    gpu_memory_bytes: int | None = None
    import_ns: int | None = None
    energy: Energy | None = None
    known_pace_ns: float | None = None


def attempt_row(
    identity: Identity, label: str, inputs: Sequence[TensorSpec], attempt: Attempt
) -> dict[str, Any]:
    """The row of a worker that measured."""
    record = {name: getattr(attempt, name) for name in Attempt.__slots__}
    record["rounds"] = heads(attempt.rounds)
    return _identity_columns(identity, label) | {
        "status": "measurement",
        "inputs": dump(tuple(inputs)),
        "record": dump(record),
        "samples": pack(attempt.rounds),
    }


def failure_row(failure: Failure, number: int) -> dict[str, Any]:
    """The row of an attempt that gave no number."""
    identity = Identity(
        failure.session,
        number,
        failure.model_sha256,
        failure.target,
        failure.plan,
        failure.environment_key,
    )
    details = {name: getattr(failure, name) for name in _FAILURE_DETAILS}
    return _identity_columns(identity, failure.label) | {
        "status": "failure",
        "stage": failure.stage.value,
        "kind": failure.kind.value,
        "message": failure.message,
        "record": dump(details),
    }


def group_measurement(
    connection: Connection, session: str, model_sha256: str, target: Target, plan: BenchPlan | None
) -> Measurement | None:
    """The measured attempts of a model on a target in a session; the newest plan of several."""
    query = select(ATTEMPT).where(
        ATTEMPT.c.session == session,
        ATTEMPT.c.model_sha256 == model_sha256,
        ATTEMPT.c.target == dump(target),
        ATTEMPT.c.status == "measurement",
    )
    if plan is not None:
        query = query.where(ATTEMPT.c.plan == dump(plan))
    rows = connection.execute(query.order_by(ATTEMPT.c.id.desc())).all()
    same = [row for row in rows if row.plan == rows[0].plan]
    # A session may hop between machines only in theory, but two are never pooled.
    same = [row for row in same if row.environment_key == same[0].environment_key]
    return _measurement(same) if same else None


def newest_complete(
    connection: Connection,
    model_sha256: str,
    target: Target,
    plan: BenchPlan,
    environment_key: str,
    attempts: int,
) -> Measurement | None:
    """The newest session's measurement with at least so many attempts that gave numbers."""
    count = func.count()
    newest = (
        select(ATTEMPT.c.session)
        .where(
            ATTEMPT.c.model_sha256 == model_sha256,
            ATTEMPT.c.plan_key == plan.key,
            ATTEMPT.c.environment_key == environment_key,
            ATTEMPT.c.target == dump(target),
            ATTEMPT.c.plan == dump(plan),
            ATTEMPT.c.status == "measurement",
        )
        .group_by(ATTEMPT.c.session)
        .having(count >= attempts)
        .order_by(func.max(ATTEMPT.c.id).desc())
        .limit(1)
    )
    session = connection.execute(newest).scalar_one_or_none()
    if session is None:
        return None
    return group_measurement(connection, session, model_sha256, target, plan)


def outcome_records(
    connection: Connection, wanted: Filter, limit: int | None, complete: bool
) -> list[OutcomeRecord]:
    """Outcomes newest first: a measurement for each group of attempts, a failure for each other."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    light = select(ATTEMPT.c.id, ATTEMPT.c.status, *_GROUP, ATTEMPT.c.identity)
    for row in connection.execute(_filtered(light, wanted).order_by(ATTEMPT.c.id.desc())):
        key = tuple(row)[2:-1] if row.status == "measurement" else (row.identity,)
        groups.setdefault(key, []).append(row.id)
    found: list[OutcomeRecord] = []
    pending = list(groups.values())
    while pending and (limit is None or len(found) < limit):
        batch, pending = _first_chunk(pending)
        found.extend(_load(connection, batch, complete))
    return found[:limit]


def sessions(connection: Connection, limit: int, searched: Mapping[str, str]) -> list[HistoryEntry]:
    """One entry for each bench session, newest first.

    `searched` are the sessions of searches with the time label of their search: one that is not
    older was made by the search and is no entry of its own, an older one was only made use of.
    """
    begun = func.min(ATTEMPT.c.created_at).label("begun")
    last = func.max(ATTEMPT.c.id)
    query = select(ATTEMPT.c.session, begun).group_by(ATTEMPT.c.session).order_by(last.desc())
    names = [
        row.session
        for row in connection.execute(query)
        if row.session not in searched or row.begun < searched[row.session]
    ]
    return [_history(connection, name) for name in names[:limit]]


def _history(connection: Connection, session: str) -> HistoryEntry:
    columns = (ATTEMPT.c.status, ATTEMPT.c.target_key, ATTEMPT.c.created_at, *_GROUP)
    query = select(*columns).where(ATTEMPT.c.session == session).order_by(ATTEMPT.c.id)
    rows = connection.execute(query).all()
    measured = {tuple(row)[3:] for row in rows if row.status == "measurement"}
    return HistoryEntry(
        kind="bench",
        name=session,
        created_at=rows[0].created_at,
        ended_at=rows[-1].created_at,
        models=len({row.model_sha256 for row in rows}),
        measurements=len(measured),
        failures=sum(row.status == "failure" for row in rows),
        targets=tuple(sorted({row.target_key for row in rows})),
        verdicts=_verdicts(connection, session),
        environments=tuple(sorted({row.environment_key for row in rows})),
    )


def _verdicts(connection: Connection, session: str) -> tuple[tuple[str, int], ...]:
    records = outcome_records(connection, Filter((session,)), None, complete=False)
    found = [r.outcome for r in records if isinstance(r.outcome, Measurement)]
    return tuple(Counter(m.latency.verdict.value for m in found if m.samples_ns).most_common())


def _identity_columns(identity: Identity, label: str) -> dict[str, Any]:
    return {
        "identity": identity.digest,
        "session": identity.session,
        "number": identity.number,
        "model_sha256": identity.model_sha256,
        "label": label,
        "target": dump(identity.target),
        "target_key": identity.target.key,
        "plan": dump(identity.plan),
        "plan_key": identity.plan.key,
        "environment_key": identity.environment_key,
        "created_at": now_label(),
    }


def _filtered(query: Select[Any], wanted: Filter) -> Select[Any]:
    for column, values in (
        (ATTEMPT.c.session, wanted.sessions),
        (ATTEMPT.c.model_sha256, wanted.models),
        (ATTEMPT.c.target_key, wanted.targets),
        (ATTEMPT.c.environment_key, wanted.environments),
    ):
        if values is not None:
            query = query.where(column.in_(values))
    return query


def _first_chunk(groups: list[list[int]]) -> tuple[list[list[int]], list[list[int]]]:
    size = 0
    for place, group in enumerate(groups):
        size += len(group)
        if size > _CHUNK and place:
            return groups[:place], groups[place:]
    return groups, []


def _load(
    connection: Connection, groups: Iterable[list[int]], complete: bool
) -> Iterable[OutcomeRecord]:
    groups = list(groups)
    ids = [number for group in groups for number in group]
    rows: dict[int, Row[Any]] = {}
    for start in range(0, len(ids), _CHUNK):
        query = select(ATTEMPT).where(ATTEMPT.c.id.in_(ids[start : start + _CHUNK]))
        rows.update((row.id, row) for row in connection.execute(query))
    for group in groups:
        members = [rows[number] for number in group]
        newest = members[0]
        if newest.status == "failure":
            yield OutcomeRecord(_failure(newest), newest.number, newest.created_at)
        elif not complete or len(members) >= parse(BenchPlan, newest.plan).processes:
            last = max(row.number for row in members)
            yield OutcomeRecord(_measurement(members), last, newest.created_at)


def _measurement(rows: Sequence[Row[Any]]) -> Measurement:
    ordered = sorted(rows, key=lambda row: row.number)
    first = ordered[0]
    return Measurement(
        model_sha256=first.model_sha256,
        label=first.label,
        target=parse(Target, first.target),
        plan=parse(BenchPlan, first.plan),
        environment_key=first.environment_key,
        session=first.session,
        inputs=from_plain(tuple[TensorSpec, ...], json.loads(first.inputs)),
        attempts=tuple(_attempt(row) for row in ordered),
    )


def _attempt(row: Row[Any]) -> Attempt:
    record = parse(_AttemptRecord, row.record)
    values = {name: getattr(record, name) for name in _AttemptRecord.__slots__}
    values["rounds"] = unpack(row.samples, record.rounds)
    return Attempt(**values)


def _failure(row: Row[Any]) -> Failure:
    details = json.loads(row.record)
    return Failure(
        model_sha256=row.model_sha256,
        label=row.label,
        target=parse(Target, row.target),
        plan=parse(BenchPlan, row.plan),
        environment_key=row.environment_key,
        session=row.session,
        stage=Stage(row.stage),
        kind=FailureKind(row.kind),
        message=row.message,
        exit_code=from_plain(int | None, details["exit_code"]),
        signal=from_plain(int | None, details["signal"]),
        log_tail=from_plain(str, details["log_tail"]),
        elapsed_s=from_plain(float, details["elapsed_s"]),
    )
