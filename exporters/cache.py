"""Exported files kept by a key, one folder an entry; safe against other processes and kills."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporters.destination import PREFIX, sync
from exporters.model_file import open_model
from profiler.core.errors import InputError, ModelError

MODEL = "model.onnx"
_ENTRY = "entry.json"
_LIMIT_BYTES = 8 * 2**30
_IN_USE_S = 3600.0
_ABANDONED_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A cached file, found whole; `facts` is what was stored with it."""

    path: Path
    sha256: str
    facts: dict[str, Any]


def find(folder: Path, key: str) -> Entry | None:
    """Return an entry whose file still has the hash that it was stored with, and remove others."""
    place = folder / key
    try:
        stored = json.loads((place / _ENTRY).read_text())
        if open_model(place / MODEL).sha256 == stored["sha256"]:
            os.utime(place / _ENTRY)  # used now: the last to be evicted
            return Entry(place / MODEL, stored["sha256"], stored["facts"])
    except FileNotFoundError:
        if not place.exists():
            return None
    except (ModelError, OSError, ValueError, KeyError, TypeError):
        pass
    shutil.rmtree(place, ignore_errors=True)
    return None


def add(folder: Path, key: str | None, staged: Path, facts: dict[str, Any]) -> Entry:
    """Make a finished folder that holds `model.onnx` an entry; its path is then gone.

    Without a key the content is its own. When another process was first, its entry is returned.
    Raises: InputError when the cache cannot be written.
    """
    sha256 = open_model(staged / MODEL).sha256
    key = key or sha256
    try:
        (staged / _ENTRY).write_text(json.dumps({"sha256": sha256, "facts": facts}))
        sync(staged / _ENTRY)
        place = folder / key
        try:
            staged.rename(place)
        except OSError:  # the name is taken
            found = find(folder, key)
            if found is not None:
                return found
            staged.rename(place)
    except OSError as error:
        raise InputError(f"cannot write in the cache {folder}: {error.strerror}") from error
    evict(folder, keep=key)
    return Entry(place / MODEL, sha256, facts)


def usable(folder: Path) -> bool:
    """Make the cache folder where it is missing; False when it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def evict(folder: Path, keep: str) -> None:
    """Remove what was not used for longest until the rest fits, and what a kill left behind."""
    # File times are wall-clock labels, so they are compared with the newest of their own kind.
    found, total = [], 0
    for place in folder.iterdir():
        try:
            if place.name.startswith(PREFIX):
                found.append((place.stat().st_mtime, 0, place))
                continue
            size = sum(file.stat().st_size for file in place.iterdir())
            found.append(((place / _ENTRY).stat().st_mtime, size, place))
        except OSError:  # another process removes it
            continue
        total += size
    now = max((used for used, _, _ in found), default=0.0)
    for used, size, place in sorted(found):
        staged = place.name.startswith(PREFIX)
        if (staged and now - used > _ABANDONED_S) or (
            not staged and total > _LIMIT_BYTES and place.name != keep and now - used > _IN_USE_S
        ):
            shutil.rmtree(place, ignore_errors=True)
            total -= size
