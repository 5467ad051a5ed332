"""Writing a report: four files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from profiler.core.errors import InputError
from profiler.core.units import printable
from profiler.store.store import Store
from reports.gather import gather
from reports.to_csv import to_csv
from reports.to_json import to_json
from reports.to_markdown import to_markdown

PAGE, TABLE = "index.html", "measurements.md"
CSV, JSON = "measurements.csv", "measurements.json"


@dataclass(frozen=True, slots=True)
class Report:
    """Where a report was written, page first, and how much is in it."""

    paths: tuple[Path, ...]
    measurements: int
    failures: int


def write_report(
    store: Store,
    directory: Path,
    *,
    search: str | None = None,
    sessions: Sequence[str] | None = None,
) -> Report:
    """Write page, table, CSV and JSON of what the store holds into a folder, made if need be.

    `search` is the search to show (the newest without it); `sessions` limits the outcomes.
    Raises: InputError for an unknown search, a place that is no folder or a symbolic link, or files
    there that are not a report's; StoreError when the store can't be read.
    """
    # Drawing takes a library that is slow to import: nothing else of nasprof waits for it.
    from reports.to_html import GENERATOR, to_html

    targets = [directory / name for name in (PAGE, TABLE, CSV, JSON)]
    _check_place(directory, targets, f'<meta name="generator" content="{GENERATOR}">')
    material = gather(store, search=search, sessions=sessions)
    rows = material.rows
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    texts = (to_html(material, now), to_markdown(material), to_csv(rows), to_json(material))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in zip(targets, texts, strict=True):
            write_whole(path, text)
    except OSError as error:
        raise InputError(
            f"the report can't be written to {printable(str(directory))}: {error.strerror}"
        ) from error
    measured = sum(row.status == "measurement" for row in rows)
    return Report(tuple(targets), measured, len(rows) - measured)


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a kill leaves the old one or the new one, never a part.

    Raises: OSError when it can't be written; what was there is kept.
    """
    part = path.with_name(f".{path.name}.{token_hex(8)}.part")
    try:
        # Exclusive: a link that someone put at this name is an error and is not followed.
        with part.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _check_place(directory: Path, targets: Sequence[Path], sign: str) -> None:
    for path in (directory, *targets):
        if path.is_symlink():
            raise InputError(
                f"{printable(str(path))} is a symbolic link; name the real place with -o"
            )
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{printable(str(directory))} is a file; name a folder with -o")
    there = [path for path in targets if path.exists()]
    if there and not _is_report(targets[0], sign):
        raise InputError(
            f"{printable(str(there[0]))} exists and is no nasprof report; name another folder "
            "with -o"
        )


def _is_report(page: Path, sign: str) -> bool:
    try:
        with page.open(encoding="utf-8", errors="replace") as file:
            return sign in file.read(2000)
    except OSError:
        return False
