from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.store.store import Store, open_store


def _binaries() -> Path | None:
    """The folder of PostgreSQL's server programs, as Debian lays them out or from the path."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


def _server_user() -> int | None:
    """The server refuses to run as root: take another user then."""
    if os.geteuid() != 0:
        return os.geteuid()
    try:
        return pwd.getpwnam("postgres").pw_uid
    except KeyError:
        return None


@pytest.fixture(scope="session")
def postgresql_socket() -> Iterator[Path]:
    binaries, user = _binaries(), _server_user()
    if binaries is None or user is None:
        pytest.skip("no PostgreSQL server programs, or no user to run them as")
    # A short path of our own: a socket's path may not be longer than 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="nasprof-pg-"))
    os.chown(folder, user, -1)
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [str(binaries / program), "-D", str(data), *arguments],
            check=True,
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )

    settings = f"-k {folder} -c listen_addresses='' -c fsync=off -c shared_buffers=8MB"
    try:
        run("initdb", "-A", "trust", "-U", "nasprof", "--no-sync", "-E", "UTF8")
        run("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", settings)
        yield folder
        run("pg_ctl", "stop", "-m", "immediate", "-w")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql_socket: Path) -> str:
    """The one database of the server, emptied."""
    psycopg = pytest.importorskip("psycopg")
    place = f"host={postgresql_socket} user=nasprof dbname=postgres"
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return f"postgresql://nasprof@/postgres?host={postgresql_socket}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "store.db")
    found: str = request.getfixturevalue("postgresql_url")
    return found


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url) as opened:
        yield opened
