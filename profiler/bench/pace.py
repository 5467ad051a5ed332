"""The full pace of this machine's processor, remembered from process to process.

A measurement that a neighbour slows from its first to its last sample can't see that by itself.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

_KEPT = 50
"""So many processes are remembered, so that a machine that became slower for good is believed."""


def pace_file(environment_key: str) -> Path:
    """Where the paces of a machine in one state are kept."""
    import platformdirs

    folder = Path(platformdirs.user_cache_dir("nasprof", appauthor=False)) / "pace"
    return folder / f"{environment_key}.json"


def known_pace_ns(file: Path) -> float | None:
    """The fastest of the remembered paces; None where there is none."""
    return min(_remembered(file), default=None)


def remember_pace(file: Path, pace_ns: float) -> None:
    """Keep the pace that a process saw; a folder that can't be written is no reason to stop."""
    kept = [*_remembered(file), pace_ns][-_KEPT:]
    written = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(json.dumps(kept))
        written.replace(file)
    except OSError:
        return


def _remembered(file: Path) -> list[float]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return []
    if not isinstance(found, list):
        return []
    return [float(pace) for pace in found if isinstance(pace, int | float) and pace > 0]
