"""Files made of a model for one runtime, kept by a key; safe against other processes and kills."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporters.cache import evict
from exporters.destination import staging, sync
from profiler.core.errors import InputError

_ENTRY = "entry.json"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished file, or folder of files, in a runtime's own format.

    Unit: `seconds` is what making it took. `facts` are what its maker said of it, as JSON.
    """

    path: Path
    sha256: str
    seconds: float
    facts: Mapping[str, Any] = field(default_factory=dict)

    def files(self) -> list[Path]:
        """The files that belong to it, its own first file among them."""
        return _files(self.path.parent)


Make = Callable[[Path], Mapping[str, Any] | None]


def keep(folder: Path, key: str, name: str, make: Make) -> Artifact:
    """Return the artifact of a key, made by `make(path)` when it is not there whole.

    What `make` returns, if anything, is kept as the artifact's facts.
    Raises: InputError when the folder cannot be written, and whatever `make` raises.
    """
    found = _find(folder / key, name)
    if found is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with staging(folder) as staged:
        started = time.perf_counter()
        facts = make(staged / name) or {}
        sha256, seconds = _hash(staged), time.perf_counter() - started
        entry = {"sha256": sha256, "seconds": seconds, "facts": dict(facts)}
        (staged / _ENTRY).write_text(json.dumps(entry))
        sync(staged / _ENTRY)
        try:
            staged.rename(folder / key)
        except OSError as error:  # another process was first, or a damaged one lies there
            found = _find(folder / key, name)
            if found is None:
                raise InputError(f"cannot write in {folder}: {error.strerror}") from error
            return found
    evict(folder, keep=key)
    return Artifact(folder / key / name, sha256, seconds, facts)


def _find(place: Path, name: str) -> Artifact | None:
    try:
        entry = json.loads((place / _ENTRY).read_text())
        if _hash(place) == entry["sha256"]:
            os.utime(place / _ENTRY)  # used now: the last to be evicted
            return Artifact(place / name, entry["sha256"], entry["seconds"], entry["facts"])
    except (OSError, ValueError, KeyError):
        return None
    return None


def _hash(place: Path) -> str:
    """Over the name and content of every file but the entry itself."""
    digest = hashlib.sha256()
    for file in _files(place):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _files(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.name != _ENTRY)
