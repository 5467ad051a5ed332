"""The version of the tables: created once, moved forward only, never repaired."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, func, insert, inspect, select

from profiler.core.errors import StoreError
from profiler.store.connect import journal_mode, writing
from profiler.store.filesystem import filesystem_of
from profiler.store.tables import CALIBRATION, METADATA, SCHEMA

Migration = Callable[[Connection], None]


def _add_calibrations(connection: Connection) -> None:
    CALIBRATION.create(connection, checkfirst=True)


# Step i turns version i + 1 into version i + 2. Steps are never edited after a release.
MIGRATIONS: tuple[Migration, ...] = (_add_calibrations,)

# A fixed number of our own: PostgreSQL locks by number while the tables are made.
_ADVISORY_LOCK = 0x6E617370


def now_label() -> str:
    """The time in UTC, as a label: nothing is ordered or measured by it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def prepare(
    engine: Engine,
    name: str,
    *,
    read_only: bool,
    file: Path | None,
    steps: Sequence[Migration] = MIGRATIONS,
) -> None:
    """Create the tables of an empty store, or bring an older one forward after a backup.

    Raises: StoreError when the store is foreign, newer, or older and read-only.
    """
    current = len(steps) + 1
    with engine.connect() as connection:
        version = _version(connection, name)
    if version is not None and version > current:
        raise StoreError(
            f"the store {name} has schema version {version} and this nasprof knows only up to "
            f"{current}; use a newer nasprof, or name another store"
        )
    if read_only:
        if version != current:
            raise StoreError(_not_ready(name, version, current))
        return
    if file is not None:
        _choose_journal(engine, file)
    if version == current:
        return
    with writing(engine) as connection, connection.begin():
        _move(connection, name, file, steps)


def _not_ready(name: str, version: int | None, current: int) -> str:
    if version is None:
        return f"the store {name} is empty; measure something first, or name another store"
    return (
        f"the store {name} has schema version {version}, older than {current}; a command that "
        "writes, for example nasprof bench, brings it forward"
    )


def _move(connection: Connection, name: str, file: Path | None, steps: Sequence[Migration]) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
    # Read again under the lock: another process may have been faster.
    version = _version(connection, name)
    current = len(steps) + 1
    if version is None:
        METADATA.create_all(connection)
        _stamp(connection, current)
        return
    if version < current and file is not None:
        _back_up(file, version)
    for number in range(version, current):
        steps[number - 1](connection)
        _stamp(connection, number + 1)


def _version(connection: Connection, name: str) -> int | None:
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if SCHEMA.name in tables:
        version = connection.execute(select(func.max(SCHEMA.c.version))).scalar_one()
        if isinstance(version, int):
            return version
    elif connection.dialect.name == "postgresql" and not tables & set(METADATA.tables):
        # A server's database may hold other people's tables beside ours.
        return None
    raise StoreError(
        f"{name} is a database of something else (no nasprof schema version in it); nothing was "
        "changed; name another store"
    )


def _stamp(connection: Connection, version: int) -> None:
    connection.execute(insert(SCHEMA).values(version=version, created_at=now_label()))


def _choose_journal(engine: Engine, file: Path) -> None:
    wanted = journal_mode(filesystem_of(file))
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        if not isinstance(raw, sqlite3.Connection):
            return
        if raw.execute("PRAGMA journal_mode").fetchone()[0].upper() != wanted:
            # Refused while another process has the file open, or when it is read-only: it stays as
            # it is, which is what that process chose.
            with suppress(sqlite3.OperationalError):
                raw.execute(f"PRAGMA journal_mode = {wanted}")


def _back_up(file: Path, version: int) -> None:
    """Copy the file beside itself, as `store.db.v1.backup`; the caller holds the write lock."""
    final = file.with_name(f"{file.name}.v{version}.backup")
    part = file.with_name(f"{final.name}.part")
    source = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    target = sqlite3.connect(part)
    try:
        source.backup(target)
    finally:
        target.close()
        source.close()
    os.replace(part, final)
