"""An environment with the misbehaving runtime in it, and the check that nothing is left."""

import os
import shutil
import site
import sqlite3
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.store.store import open_store


@pytest.fixture(scope="session")
def actor_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("actor") / "env"
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next((folder / "lib").glob("python*/site-packages"))
    lines = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
    (packages / "base.pth").write_text("\n".join(lines) + "\n")
    shutil.copy(Path(__file__).with_name("actor.py"), packages / "nasprof_test_actor.py")
    (packages / "nasprof_test_broken.py").write_text('raise ImportError("libbroken.so: not found")')
    info = packages / "nasprof_test_actor-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: nasprof-test-actor\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        "[nasprof.runtimes]\n"
        "actor = nasprof_test_actor:PLUGIN\nbroken = nasprof_test_broken:PLUGIN\n"
    )
    assert sys.version_info[:2] == tuple(map(int, packages.parent.name[6:].split(".")))
    return str(folder / "bin" / "python")


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """After every case: no new process of this one, no private folder, no half row in a store."""
    before = _children()  # a server that tests of a store share, for example
    yield
    deadline = time.monotonic() + 10
    while (left := _children() - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == set()
    assert list(Path(tempfile.gettempdir()).glob(f"nasprof-{os.getpid()}-*")) == []
    for database in tmp_path.glob("store.db"):
        with sqlite3.connect(database) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with open_store(str(database), read_only=True) as store:
            store.outcomes(complete=False)  # parses every row


def _children() -> set[str]:
    own, found = str(os.getpid()), set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == own:
            found.add(entry.parent.name)
    return found
