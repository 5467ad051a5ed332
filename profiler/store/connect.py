"""Engines: how a store file or server is opened, locked and kept from changing."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from profiler.core.errors import StoreError
from profiler.core.units import printable
from profiler.store.filesystem import filesystem_of, is_network

BUSY_TIMEOUT_S = 30
# SQLite 3.7.0 to 3.51.2 can damage a file in WAL mode when two connections reset the log at once
# (the "WAL-reset bug", sqlite.org/wal.html); the rollback journal does not have it.
_WAL_IS_SAFE = (3, 51, 3)
_WRITE = "nasprof_write"

_LOG = logging.getLogger("nasprof.store")


def store_url(text: str) -> URL:
    """Read a path or an SQLAlchemy URL; a path is an SQLite file.

    Raises: StoreError when it is neither SQLite nor PostgreSQL.
    """
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise StoreError(f"{printable(text)!r} is no database URL; give a file or a URL") from error
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(
            f"the store can't be in {url.drivername!r}; give an SQLite file or a postgresql:// URL"
        )
    return url


def shown(url: URL) -> str:
    """The store's name for messages: the file's path, or the URL without its password."""
    if url.get_backend_name() == "sqlite":
        return printable(url.database or ":memory:")
    return printable(url.render_as_string(hide_password=True))


def connect(url: URL, *, read_only: bool) -> Engine:
    """Make the engine; a file is opened at the first connection.

    Raises: StoreError when the driver is missing or the file's folder does not exist.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, read_only)
    try:
        return create_engine(
            url,
            pool_pre_ping=True,
            connect_args={"connect_timeout": BUSY_TIMEOUT_S},
            execution_options={"postgresql_readonly": read_only},
        )
    except (ImportError, NoSuchModuleError) as error:
        raise StoreError(
            f"{shown(url)} needs a driver; install it with: pip install 'nasprof[postgresql]'"
        ) from error


def journal_mode(
    file_system: str | None, version: tuple[int, ...] = sqlite3.sqlite_version_info
) -> str:
    """The journal that is safe for this SQLite library on this file system: WAL or DELETE."""
    shared = file_system == "overlay" or is_network(file_system)
    return "DELETE" if shared or version < _WAL_IS_SAFE else "WAL"


def writing(engine: Engine) -> Connection:
    """A connection whose transactions take the write lock at their start.

    A transaction that reads first and writes later fails when another writer came between, whatever
    the busy timeout is.
    """
    return engine.connect().execution_options(**{_WRITE: True})


@contextmanager
def explained(name: str, size_bytes: int = 0) -> Iterator[None]:
    """Turn what a database says into one line with the store's name and a remedy."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(_explain(name, error, size_bytes)) from error


@contextmanager
def undamaged(name: str) -> Iterator[None]:
    """Turn a row that can't be read back into one line with the store's name."""
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"a row of the store {name} is damaged ({error}); nothing was changed; restore a backup"
        ) from error


def _sqlite(url: URL, read_only: bool) -> Engine:
    path = url.database if url.database not in (None, "", ":memory:") else None
    if path is not None:
        _check_place(Path(path), read_only)
    uri = ":memory:" if path is None else _file_uri(Path(path), read_only)
    engine = create_engine(
        URL.create("sqlite"),
        creator=lambda: _open_file(uri),
        poolclass=StaticPool if path is None else QueuePool,
    )

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, record: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        if read_only:
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _open_file(uri: str) -> sqlite3.Connection:
    # isolation_level=None hands transactions to us: Python's driver would begin them deferred.
    return sqlite3.connect(
        uri,
        uri=uri != ":memory:",
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )


def _file_uri(path: Path, read_only: bool) -> str:
    if _sealed(path):
        return f"{path.absolute().as_uri()}?immutable=1"
    # Not mode=ro: after a kill the next one to open the file must roll back what was half written.
    return f"{path.absolute().as_uri()}?mode={'rw' if read_only else 'rwc'}"


def _sealed(path: Path) -> bool:
    """True for a file in WAL mode whose folder can't take the shared memory file that WAL needs."""
    if os.access(path.absolute().parent, os.W_OK) or Path(f"{path}-wal").exists():
        return False
    try:
        with path.open("rb") as file:
            return file.read(20)[18:20] == b"\x02\x02"
    except OSError:
        return False


def _check_place(path: Path, read_only: bool) -> None:
    if path.is_dir():
        raise StoreError(f"the store {printable(str(path))} is a folder; give a file")
    if read_only and not path.exists():
        raise StoreError(
            f"there is no store at {printable(str(path))} yet; measure something first, "
            "or name another store"
        )
    if not path.absolute().parent.is_dir():
        raise StoreError(
            f"the folder {printable(str(path.absolute().parent))} of the store does not exist; "
            "create it or name another store"
        )
    if is_network(kind := filesystem_of(path)):
        _LOG.warning(
            "the store %s is on a network file system (%s), where locks may not hold; "
            "use it from one machine at a time, or use PostgreSQL",
            printable(str(path)),
            kind,
        )


def _explain(name: str, error: Exception, size_bytes: int) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
    low = text.lower()
    if "full" in low or "no space" in low:
        return (
            f"the store {name} is full: about {size_bytes} bytes could not be written; what was "
            "stored before is kept; free space on its disk and run again"
        )
    if "readonly" in low or "read-only" in low:
        return f"the store {name} is read-only; make it writable or name another store"
    if "not a database" in low or "malformed" in low:
        return (
            f"the store {name} is damaged or is no nasprof store ({text}); nothing was changed; "
            "restore a backup or name another store"
        )
    if "locked" in low:
        return f"the store {name} was locked by another process for {BUSY_TIMEOUT_S} s; run again"
    if "unable to open" in low:
        return f"the store {name} can't be opened; check that you may read it and its folder"
    return f"the store {name} can't be used: {printable(text)}"
