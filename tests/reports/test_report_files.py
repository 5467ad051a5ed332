"""Files of a report: whole or not there, and nobody else's."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from report_values import fill

from profiler.core.errors import InputError
from profiler.store.store import Store, open_store
from reports.write import write_report, write_whole


@pytest.fixture
def few() -> Iterator[Store]:
    with open_store("sqlite://") as store:
        fill(store, trials=0, models=1)
        yield store


NAMES = ["index.html", "measurements.csv", "measurements.json", "measurements.md"]


def test_a_report_is_four_files(few: Store, tmp_path: Path) -> None:
    written = write_report(few, tmp_path / "a" / "b")
    assert sorted(path.name for path in written.paths) == NAMES
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == NAMES
    assert written.failures == 2
    assert written.measurements == 3
    mask = os.umask(0)
    os.umask(mask)
    assert written.paths[0].stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_report_replaces_a_report(few: Store, tmp_path: Path) -> None:
    with open_store("sqlite://") as empty:
        write_report(empty, tmp_path)
    assert "Nothing was measured" in (tmp_path / "index.html").read_text()
    write_report(few, tmp_path, sessions=["bench-1"])
    assert "Nothing was measured" not in (tmp_path / "index.html").read_text()


def test_sessions_limit_the_rows(few: Store, tmp_path: Path) -> None:
    written = write_report(few, tmp_path, sessions=["another"])
    assert (written.measurements, written.failures) == (0, 0)


def test_an_unknown_search_is_refused_before_anything_is_written(
    filled: Store, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="nasbench201-weaknas-1"):
        write_report(filled, tmp_path / "r", search="none")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("name", NAMES)
def test_other_peoples_files_are_left_alone(few: Store, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=name):
        write_report(few, tmp_path)
    assert (tmp_path / name).read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["", *NAMES])
def test_links_are_refused(few: Store, tmp_path: Path, name: str) -> None:
    real = tmp_path / "real"
    real.mkdir()
    canary = real / "canary"
    canary.write_text("mine")
    place = tmp_path / "report"
    if name:
        place.mkdir()
        (place / name).symlink_to(canary)
    else:
        place.symlink_to(real)
    with pytest.raises(InputError, match="symbolic link"):
        write_report(few, place)
    assert canary.read_text() == "mine"
    assert list(real.iterdir()) == [canary]


def test_a_file_is_no_folder(few: Store, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(InputError, match="is a file"):
        write_report(few, tmp_path / "f")
    with pytest.raises(InputError, match="can't be written"):
        write_report(few, tmp_path / "f" / "below")


def test_a_failed_write_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "page"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \udcff")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


WRITER = """
import sys
from collections.abc import Iterator
from pathlib import Path
from reports.write import write_whole

for n in range(1_000_000):
    write_whole(Path(sys.argv[1]), str(n % 10) * 400_000)
    print(n, flush=True)
"""


@pytest.mark.fault
def test_a_kill_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "page"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for _ in range(random.Random(0).randint(3, 20)):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    text = path.read_text()
    assert len(text) == 400_000
    assert len(set(text)) == 1
