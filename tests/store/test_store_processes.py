"""Several processes on one store, and processes that die in the middle of a write."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from profiler.core.outcome import Measurement
from profiler.store.store import open_store

pytestmark = pytest.mark.fault

WRITER = """
import sys
from store_values import ENVIRONMENT, INPUTS, PLAN, SHA, TARGET, attempt
import profiler.store.schema as schema
from profiler.store.store import open_store

path, session, count, journal = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
schema.journal_mode = lambda *_: journal
values = [attempt(seed, samples=300) for seed in range(4)]
with open_store(path) as store:
    store.put_environment(ENVIRONMENT)
    for n in range(count):
        store.measurement(session, SHA, TARGET)
        store.put_attempt(
            session, n, SHA, "m", TARGET, PLAN, ENVIRONMENT.key, INPUTS, values[n % 4]
        )
        print(n, flush=True)
"""


def writer(path: Path, session: str, count: int, journal: str) -> subprocess.Popen[str]:
    here = Path(__file__).parent
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), session, str(count), journal],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(here.parents[1]), str(here)])},
        stdout=subprocess.PIPE,
        text=True,
    )


def integrity(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()


def numbers(path: Path, session: str) -> int:
    with open_store(str(path), read_only=True) as store:
        (found,) = store.outcomes(sessions=[session], complete=False)
    assert isinstance(found, Measurement)
    return len(found.attempts)


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path, journal: str) -> None:
    path = tmp_path / "s.db"
    chance = random.Random(journal)
    for turn in range(4):
        process = writer(path, f"s{turn}", 10_000, journal)
        assert process.stdout is not None
        acknowledged = 0
        for _ in range(chance.randint(1, 12)):
            process.stdout.readline()
            acknowledged += 1
        # Somewhere inside the next write, which has begun when the line was read.
        for _ in range(chance.randint(0, 200_000)):
            pass
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().splitlines()
        process.wait()
        acknowledged += len(rest)
        assert acknowledged <= numbers(path, f"s{turn}") <= acknowledged + 1
    assert integrity(path) == "ok"


def test_three_writers_do_not_hinder_each_other(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    each = 30
    writers = [writer(path, f"w{n}", each, "DELETE") for n in range(3)]
    for process in writers:
        said, _ = process.communicate()
        assert process.returncode == 0
        assert len(said.splitlines()) == each
    assert [numbers(path, f"w{n}") for n in range(3)] == [each] * 3
    assert integrity(path) == "ok"
