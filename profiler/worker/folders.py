"""Private temporary folders, one a worker, removed even after a kill."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_NAME = re.compile(r"nasprof-(\d+)-(\d+)-")


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder of mode 0700 that carries its owner's process id and start time."""
    _sweep()
    owner = os.getpid()
    path = Path(tempfile.mkdtemp(prefix=f"nasprof-{owner}-{_start_time(owner)}-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@cache
def _sweep() -> None:
    """Remove the folders of owners that are dead."""
    for path in Path(tempfile.gettempdir()).glob("nasprof-*-*-*"):
        match = _NAME.match(path.name)
        mine = path.lstat().st_uid == os.getuid() if path.exists() else False
        if match and mine and _start_time(int(match[1])) != int(match[2]):
            shutil.rmtree(path, ignore_errors=True)


def _start_time(pid: int) -> int:
    """Start time of a process in clock ticks since boot; -1 when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return -1
    return int(stat.rpartition(")")[2].split()[19])
