"""Searches, their trials and finalists."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, case, func, literal_column, select, update

from profiler.core.errors import InputError, StoreError
from profiler.core.plain import dump, from_plain, parse
from profiler.core.units import printable
from profiler.store.models import put_row
from profiler.store.records import (
    FinalistRecord,
    HistoryEntry,
    SearchRecord,
    SearchState,
    TrialRecord,
    TrialState,
)
from profiler.store.schema import now_label
from profiler.store.tables import FINALIST, SEARCH, TRIAL

_Metrics = Mapping[str, float | None]


def create(connection: Connection, search: SearchRecord) -> None:
    """Store a new search.

    Raises: InputError when another search has the name.
    """
    row = {
        "name": search.name,
        "record": dump(search),
        "state": search.state.value,
        "created_at": search.created_at or now_label(),
    }
    if not put_row(connection, SEARCH, row):
        raise InputError(
            f"there is a search {printable(search.name)!r} in the store already; resume it or give "
            "another name"
        )


def load(connection: Connection, name: str) -> SearchRecord | None:
    """A search by its name."""
    row = connection.execute(select(SEARCH).where(SEARCH.c.name == name)).one_or_none()
    return None if row is None else _search(row)


def every(connection: Connection, limit: int | None = None) -> list[SearchRecord]:
    """All searches, newest first."""
    query = select(SEARCH).order_by(SEARCH.c.id.desc()).limit(limit)
    return [_search(row) for row in connection.execute(query)]


def set_state(connection: Connection, name: str, state: SearchState) -> None:
    """Say how a search stands."""
    change = update(SEARCH).where(SEARCH.c.name == name).values(state=state.value)
    if connection.execute(change).rowcount != 1:
        raise _unknown(name)


def claim(connection: Connection, name: str, owner: str, grace_s: float) -> bool:
    """Make `owner` the one process that drives a search, unless another's heartbeat is younger.

    The database's clock decides, so that machines with different clocks agree.
    """
    _id(connection, name)
    now = _now_s(connection)
    free = (
        (SEARCH.c.owner.is_(None))
        | (SEARCH.c.owner == owner)
        | (SEARCH.c.heartbeat_s.is_(None))
        | (now - SEARCH.c.heartbeat_s > grace_s)
        | (SEARCH.c.heartbeat_s > now + grace_s)
    )
    taken = update(SEARCH).where(SEARCH.c.name == name, free).values(owner=owner, heartbeat_s=now)
    return connection.execute(taken).rowcount == 1


def beat(connection: Connection, name: str, owner: str) -> bool:
    """Renew the heartbeat; False when another process has taken the search over."""
    mine = (SEARCH.c.name == name) & (SEARCH.c.owner == owner)
    change = update(SEARCH).where(mine).values(heartbeat_s=_now_s(connection))
    return connection.execute(change).rowcount == 1


def release(connection: Connection, name: str, owner: str) -> None:
    """Give a search back; nothing happens when another process owns it."""
    mine = (SEARCH.c.name == name) & (SEARCH.c.owner == owner)
    connection.execute(update(SEARCH).where(mine).values(owner=None, heartbeat_s=None))


def put_trial(connection: Connection, name: str, trial: TrialRecord) -> bool:
    """Store a trial; False when a finished one with its number is there, which is never changed.

    Raises: ValueError when the accuracy is NaN or infinite.
    """
    if trial.accuracy is not None and not math.isfinite(trial.accuracy):
        raise ValueError("accuracy must be a finite number, or None when it is unknown")
    key = {"search_id": _id(connection, name), "number": trial.number}
    row = {
        "candidate_key": trial.candidate.key,
        "state": trial.state.value,
        "accuracy": trial.accuracy,
        "record": dump(trial),
        "created_at": now_label(),
    }
    if put_row(connection, TRIAL, key | row):
        return True
    same = (TRIAL.c.search_id == key["search_id"]) & (TRIAL.c.number == trial.number)
    proposed = same & (TRIAL.c.state == TrialState.PROPOSED.value)
    return connection.execute(update(TRIAL).where(proposed).values(**row)).rowcount == 1


def trials(connection: Connection, name: str) -> list[TrialRecord]:
    """The trials of a search by number."""
    query = select(TRIAL).where(TRIAL.c.search_id == _id(connection, name)).order_by(TRIAL.c.number)
    return [_trial(row) for row in connection.execute(query)]


def put_finalist(connection: Connection, name: str, finalist: FinalistRecord) -> bool:
    """Store the second measurement of a candidate of the Pareto set; False when it is there."""
    row = {
        "search_id": _id(connection, name),
        "number": finalist.number,
        "session": finalist.session,
        "metrics": dump(finalist.metrics),
        "created_at": now_label(),
    }
    return put_row(connection, FINALIST, row)


def finalists(connection: Connection, name: str) -> list[FinalistRecord]:
    """The finalists of a search in the order they were stored."""
    query = select(FINALIST).where(FINALIST.c.search_id == _id(connection, name))
    rows = connection.execute(query.order_by(FINALIST.c.id)).all()
    return [FinalistRecord(row.number, row.session, _metrics(row.metrics)) for row in rows]


def history(connection: Connection, limit: int) -> list[HistoryEntry]:
    """One entry for each search, newest first."""
    failed = func.sum(case((TRIAL.c.state == TrialState.FAILED.value, 1), else_=0))
    done = func.sum(case((TRIAL.c.state == TrialState.DONE.value, 1), else_=0))
    last = func.max(TRIAL.c.created_at)
    query = (
        select(SEARCH, func.count(TRIAL.c.number).label("n"), done.label("done"))
        .add_columns(failed.label("failed"), last.label("last"))
        .outerjoin(TRIAL, TRIAL.c.search_id == SEARCH.c.id)
        .group_by(SEARCH.c.id)
        .order_by(SEARCH.c.id.desc())
        .limit(limit)
    )
    return [_entry(row) for row in connection.execute(query)]


def own_sessions(connection: Connection) -> dict[str, str]:
    """Sessions that searches measured in, each with the time label of its search's beginning."""
    second = select(FINALIST.c.session, SEARCH.c.created_at).join(SEARCH)
    found = {row.session: row.created_at for row in connection.execute(second)}
    first = select(TRIAL.c.record, SEARCH.c.created_at).join(SEARCH)
    for row in connection.execute(first):
        if session := json.loads(row.record).get("session"):
            found[session] = row.created_at
    return found


def _entry(row: Row[Any]) -> HistoryEntry:
    search = _search(row)
    return HistoryEntry(
        kind="search",
        name=search.name,
        created_at=search.created_at,
        ended_at=row.last or search.created_at,
        models=int(row.n),
        measurements=int(row.done),
        failures=int(row.failed),
        targets=tuple(sorted({c.target for c in search.constraints if c.target})),
        state=search.state.value,
    )


def _search(row: Row[Any]) -> SearchRecord:
    data = json.loads(row.record) | {"state": row.state, "created_at": row.created_at}
    found: SearchRecord = from_plain(SearchRecord, data)
    return found


def _trial(row: Row[Any]) -> TrialRecord:
    return parse(TrialRecord, row.record)


def _metrics(text: str) -> _Metrics:
    found: _Metrics = from_plain(_Metrics, json.loads(text))
    return found


def _id(connection: Connection, name: str) -> int:
    found = connection.execute(select(SEARCH.c.id).where(SEARCH.c.name == name)).scalar()
    if found is None:
        raise _unknown(name)
    return int(found)


def _unknown(name: str) -> StoreError:
    return StoreError(f"there is no search {printable(name)!r} in the store")


def _now_s(connection: Connection) -> Any:
    if connection.dialect.name == "postgresql":
        return literal_column("extract(epoch from clock_timestamp())")
    return literal_column("(julianday('now') - 2440587.5) * 86400.0")
