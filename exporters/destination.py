"""Where an export goes: refused early, written beside, renamed when it is whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporters.metadata import written_by_nasprof
from exporters.model_file import read_structure
from profiler.core.errors import InputError, ModelError
from profiler.core.units import printable

PREFIX = ".nasprof-"


def check_destination(path: Path, force: bool) -> None:
    """Refuse a place that must not be written to, before any work.

    An existing file is replaced when nasprof wrote it, any other only with `force`.
    Raises: InputError with the remedy.
    """
    shown = printable(str(path))
    if path.is_symlink():
        raise InputError(f"{shown} is a symbolic link; name the file itself")
    if path.is_dir():
        raise InputError(f"{shown} is a directory; name a file, for example {shown}/model.onnx")
    if not path.parent.is_dir():
        raise InputError(f"the folder {printable(str(path.parent))} does not exist; make it first")
    if not path.exists():
        return
    if not path.is_file():
        raise InputError(f"{shown} is not a regular file; name another")
    if not force and not _ours(path):
        raise InputError(f"{shown} exists and was not written by nasprof; replace it with --force")


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A temporary folder on the same file system, gone afterwards.

    Raises: InputError when the folder cannot be written to.
    """
    try:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
    except OSError as error:
        where = printable(str(folder))
        raise InputError(f"cannot write in {where}: {error.strerror}") from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def publish(path: Path, destination: Path) -> None:
    """Give a finished file its final name, atomically and safe against a power cut.

    Raises: InputError when the disk is full or the place cannot be written.
    """
    try:
        sync(path)
        path.replace(destination)
        sync(destination.parent)
    except OSError as error:
        where = printable(str(destination))
        raise InputError(f"cannot write {where}: {error.strerror}") from error


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _ours(path: Path) -> bool:
    try:
        return written_by_nasprof(read_structure(path).metadata)
    except ModelError:
        return False
