"""Files that are no store, too new, too old, read-only or full."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from store_values import ENVIRONMENT, failure

from profiler.core.errors import StoreError
from profiler.store.connect import connect, journal_mode, store_url
from profiler.store.filesystem import filesystem_of, is_network
from profiler.store.schema import MIGRATIONS, prepare
from profiler.store.store import default_url, open_store


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def filled(path: Path, rows: int = 3) -> Path:
    with open_store(str(path)) as store:
        store.put_environment(ENVIRONMENT)
        for number in range(rows):
            store.put_failure(failure(), number)
    return path


def sql(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()


def foreign_files(folder: Path) -> list[Path]:
    noise = folder / "noise"
    noise.write_bytes(random.Random(0).randbytes(5000))
    words = folder / "words.txt"
    words.write_text("not a database\n" * 20)
    other = folder / "other.db"
    sql(other, "CREATE TABLE people (name TEXT)")
    damaged = filled(folder / "damaged.db")
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    header = folder / "header"
    header.write_bytes(whole[:100])
    return [noise, words, other, damaged, header]


def test_what_is_no_store_is_refused_by_name_and_left_alone(tmp_path: Path) -> None:
    for path in foreign_files(tmp_path):
        before = digest(path)
        for read_only in (True, False):
            with pytest.raises(StoreError, match=path.name):
                open_store(str(path), read_only=read_only).outcomes()
        assert digest(path) == before


def test_damage_inside_is_an_error_and_not_a_repair(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db", rows=60)
    data = bytearray(path.read_bytes())
    for start in range(4096 * 14, len(data) - 4096, 4096):
        data[start : start + 2048] = b"\xff" * 2048
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"s\.db"), open_store(str(path)) as store:
        store.outcomes()
    assert path.read_bytes() == data


def test_a_forged_row_is_an_error(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db", rows=1)
    sql(path, 'UPDATE attempt SET record = \'{"exit_code": "x"}\'')
    with open_store(str(path)) as store, pytest.raises(StoreError, match="damaged"):
        store.outcomes()


def test_a_newer_schema_is_refused_with_both_versions(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db")
    sql(path, "INSERT INTO nasprof_schema VALUES (999, 'later')")
    before = digest(path)
    for read_only in (True, False):
        with pytest.raises(StoreError, match=r"s\.db.*999.*up to \d+"):
            open_store(str(path), read_only=read_only)
    assert digest(path) == before


def test_places_that_can_not_hold_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="folder"):
        open_store(str(tmp_path))
    with pytest.raises(StoreError, match="does not exist"):
        open_store(str(tmp_path / "none" / "s.db"))
    with pytest.raises(StoreError, match="no store"):
        open_store(str(tmp_path / "s.db"), read_only=True)
    assert not (tmp_path / "s.db").exists()
    (tmp_path / "empty").touch()
    with pytest.raises(StoreError, match="empty"):
        open_store(str(tmp_path / "empty"), read_only=True)
    with pytest.raises(StoreError, match="mysql"):
        open_store("mysql://host/db")
    with pytest.raises(StoreError, match="no database URL"):
        open_store("://")


def test_names_with_signs_of_urls_are_files(tmp_path: Path) -> None:
    for name in ("a?b=c.db", "100%.db", "a b#c.db", "é\n.db"):
        filled(tmp_path / name)
        assert (tmp_path / name).exists()


def test_a_store_opened_for_reading_can_not_be_written(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db")
    before = digest(path)
    with open_store(str(path), read_only=True) as store:
        assert len(store.outcomes()) == 3
        with pytest.raises(StoreError, match="read-only"):
            store.check_writable()
        with pytest.raises(StoreError, match="read-only"):
            store.put_failure(failure(), 9)
    assert digest(path) == before


READER = """
import os
import sys
from profiler.core.errors import StoreError
from profiler.store.store import open_store

open_store("sqlite://").close()  # imports what is imported late, while it may still be read
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
with open_store(sys.argv[1], read_only=sys.argv[2] == "r") as store:
    print(len(store.outcomes()))
    try:
        store.check_writable()
    except StoreError as error:
        print(error.exit_code, error)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.parametrize("sealed", ["file", "folder", "write-ahead folder"])
@pytest.mark.parametrize("mode", ["r", "w"])
def test_without_the_right_to_write_reading_works(folder: Path, sealed: str, mode: str) -> None:
    path = filled(folder / "s.db")
    if sealed == "write-ahead folder":
        sql(path, "PRAGMA journal_mode = WAL")
    path.chmod(0o444 if sealed == "file" else 0o666)
    folder.chmod(0o777 if sealed == "file" else 0o555)
    done = subprocess.run(
        [sys.executable, "-c", READER, str(path), mode],
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    folder.chmod(0o777)
    rows, refusal = done.stdout.splitlines() or [done.stderr, ""]
    assert rows == "3"
    assert refusal.startswith("4 ")
    assert "read-only" in refusal or "can't be opened" in refusal


def test_a_full_disk_is_an_error_that_loses_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db")
    with open_store(str(path)) as store:
        with store.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreError, match=r"s\.db is full: about 100\d\d\d bytes") as caught:
            store.put_failure(failure(message="x" * 100_000), 7)
        assert caught.value.exit_code == 4
        assert len(store.outcomes()) == 3
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


def add_column(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE model ADD COLUMN colour TEXT"))


def fails(connection: Connection) -> None:
    add_column(connection)
    connection.execute(text("SELECT * FROM nowhere"))


def test_an_older_store_goes_forward_after_a_backup(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db")
    engine = connect(store_url(str(path)), read_only=False)
    prepare(engine, "s.db", read_only=False, file=path, steps=(*MIGRATIONS, add_column))
    prepare(engine, "s.db", read_only=False, file=path, steps=(*MIGRATIONS, add_column))
    engine.dispose()
    assert sql(path, "SELECT version FROM nasprof_schema ORDER BY 1") == [(2,), (3,)]
    assert sql(path, "SELECT count(colour), count(*) FROM model") == [(0, 0)]
    assert sql(path, "SELECT count(*) FROM attempt") == [(3,)]
    backup = tmp_path / "s.db.v2.backup"
    with open_store(str(backup)) as old:
        assert len(old.outcomes()) == 3
    with pytest.raises(StoreError, match="schema version 3"):
        open_store(str(path))


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db")
    engine = connect(store_url(str(path)), read_only=False)
    with pytest.raises(Exception, match="nowhere"):
        prepare(engine, "s.db", read_only=False, file=path, steps=(*MIGRATIONS, fails))
    engine.dispose()
    with open_store(str(path)) as store:
        assert len(store.outcomes()) == 3
    assert "colour" not in str(sql(path, "SELECT sql FROM sqlite_master"))


def test_an_older_store_is_not_changed_by_reading(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db")
    engine = connect(store_url(str(path)), read_only=True)
    with pytest.raises(StoreError, match="older"):
        prepare(engine, "s.db", read_only=True, file=path, steps=(*MIGRATIONS, add_column))
    engine.dispose()


def test_the_journal_is_the_safe_one() -> None:
    assert journal_mode("ext4", (3, 40, 1)) == "DELETE"
    assert journal_mode("ext4", (3, 51, 2)) == "DELETE"
    assert journal_mode("ext4", (3, 51, 3)) == "WAL"
    assert journal_mode(None, (3, 52, 0)) == "WAL"
    assert journal_mode("nfs4", (3, 52, 0)) == "DELETE"
    assert journal_mode("overlay", (3, 52, 0)) == "DELETE"


def test_a_store_uses_that_journal_and_waits_for_others(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db")
    wanted = journal_mode(filesystem_of(path)).lower()
    other = "wal" if wanted == "delete" else "delete"
    sql(path, f"PRAGMA journal_mode = {other}")
    with open_store(str(path)) as store, store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == wanted
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 30_000
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2


MOUNTS = r"""22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw shared:2 - nfs4 server:/home rw
31 30 0:41 / /home/with\040space rw - tmpfs tmpfs rw
a line that is none
"""


def test_file_systems_are_told_apart(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert filesystem_of(Path("/var/s.db"), mounts) == "ext4"
    assert filesystem_of(Path("/home/me/s.db"), mounts) == "nfs4"
    assert filesystem_of(Path("/home/with space/s.db"), mounts) == "tmpfs"
    assert filesystem_of(Path("/s.db"), tmp_path / "none") is None
    assert [is_network(kind) for kind in ("nfs4", "cifs", "fuse.sshfs", "ext4", None)] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_a_network_file_system_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("profiler.store.connect.filesystem_of", lambda path: "nfs4")
    open_store(str(tmp_path / "s.db")).close()
    assert "nfs4" in caplog.text


def test_the_default_store_is_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    path = Path(default_url())
    assert path.parent == tmp_path / "data" / "nasprof"
    open_store(default_url()).close()
    assert path.exists()
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_newest_calibration_of_a_machine_counts(tmp_path: Path) -> None:
    from profiler.bench.environment import capture
    from profiler.store.records import Calibration

    environment = capture()
    first = Calibration(environment.key, 1, {"float32": 1e11, "int8": None}, 1e10, {"int8": None})
    second = Calibration(environment.key, 1, {"float32": 2e11}, 2e10, {"float32": ((2, 1), (4, 2))})
    with open_store(str(tmp_path / "s.db")) as store:
        store.put_environment(environment)
        store.put_calibration(first)
        store.put_calibration(second)
        found = store.calibration(environment.key, 1)
        assert store.calibration(environment.key, 2) is None
    assert found is not None
    assert (found.flops_per_s, found.bytes_per_s) == (second.flops_per_s, second.bytes_per_s)
    assert found.samples == second.samples


def test_a_store_without_calibrations_goes_forward(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db")
    sql(path, "DROP TABLE calibration")
    sql(path, "UPDATE nasprof_schema SET version = 1")
    with open_store(str(path)) as store:
        assert store.calibration("nowhere", 1) is None
        assert len(store.outcomes()) == 3
    assert sql(path, "SELECT version FROM nasprof_schema ORDER BY 1") == [(1,), (2,)]
    assert (tmp_path / "s.db.v1.backup").exists()
