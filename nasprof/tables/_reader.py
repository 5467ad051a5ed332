"""What a reader of published files gives, and how it becomes a table of this project."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet

from nasprof.tables._read import read_table
from nasprof.tables._table import Table
from profiler.core.errors import InputError
from profiler.core.plugins import load


@dataclass(frozen=True, slots=True)
class Series:
    """One column: its values in row order and what they are.

    Unit: `unit` is text (`ms`, `mJ`, `%`, `s`, `1e6`), None for counts and names. `metric` is
    `latency`, `energy`, `accuracy` or another word, `device` what it was measured on.
    """

    name: str
    values: Sequence[Any]
    unit: str | None = None
    metric: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """One table read from published files: the columns of one search space."""

    space: str
    columns: tuple[Series, ...]
    notes: Mapping[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """A published format; `takes` tells a person which files to give."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def takes(self) -> str: ...

    def read(self, files: Sequence[Path]) -> tuple[Content, ...]:
        """Read the files, one table a search space.

        Raises: InputError when a file is not of this format, damaged or unsafe.
        """


def import_table(kind: str, files: Sequence[Path], folder: Path) -> tuple[Table, ...]:
    """Read published files and write each table as typed Parquet `KIND.SPACE.parquet`.

    Raises: InputError for an unknown kind, a file that cannot be read, a folder that cannot be
    written.
    """
    reader: Reader = load("nasprof.tables", kind)
    if not files:
        raise InputError(f"give the files of {reader.title}: {reader.takes}")
    for path in files:
        if not path.exists():
            raise InputError(f"{path} is not there; {kind} needs {reader.takes}")
    source = ", ".join(named_source(path) for path in files)
    tables = []
    for content in reader.read(files):
        path = folder / f"{kind}.{content.space}.parquet"
        notes = {"kind": kind, "space": content.space, "source": source, **content.notes}
        write_content(content, notes, path)
        tables.append(read_table(path))
    return tuple(tables)


def to_arrow(content: Content, notes: Mapping[str, str]) -> pa.Table:
    """The columns as an Arrow table; units and metrics are metadata of each field."""
    fields, arrays = [], []
    for series in content.columns:
        values = pa.array(series.values)
        facts = {"unit": series.unit, "metric": series.metric, "device": series.device}
        known = {key: value for key, value in facts.items() if value is not None}
        fields.append(pa.field(series.name, values.type, metadata=known or None))
        arrays.append(values)
    metadata = {f"nasprof.{key}": value for key, value in notes.items()}
    return pa.table(arrays, schema=pa.schema(fields, metadata=metadata))


def write_content(content: Content, notes: Mapping[str, str], path: Path) -> None:
    """Write a table as Parquet, whole or not at all.

    Raises: InputError when the folder cannot be written.
    """
    data = to_arrow(content, notes)
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(data, part)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def named_source(path: Path) -> str:
    """A file by its name and the hash of its content."""
    if path.is_dir():
        return path.name
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return f"{path.name} (sha256 {digest.hexdigest()[:16]})"
