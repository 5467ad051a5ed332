"""What there is to search in and to look up: spaces, and the tables that a person imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nasprof.spaces._open import open_space
from nasprof.spaces._show import Shown, SpaceInfo, list_spaces, show
from nasprof.subjects.space import candidate_genes
from nasprof.tables._library import TableInfo, default_folder, find_table, list_tables, table_info
from nasprof.tables._neutral import KIND, import_neutral
from nasprof.tables._read import read_table
from nasprof.tables._reader import Reader, import_table
from nasprof.tables._recorded import LAYER_COLUMN, RecordedColumn, recorded_columns
from nasprof.tables._table import Table
from profiler.core.errors import InputError
from profiler.core.plugins import load, names

_SHOWN_ROWS = 5


@dataclass(frozen=True, slots=True)
class ListedSpace:
    """A space with its imported tables."""

    space: SpaceInfo
    tables: tuple[TableInfo, ...]

    @property
    def metrics(self) -> dict[str, int]:
        """How many columns of the imported tables hold each metric."""
        found: dict[str, int] = {}
        for column in (column for table in self.tables for column in table.columns):
            if column.metric is not None:
                found[column.metric] = found.get(column.metric, 0) + 1
        return found

    def to_json(self) -> dict[str, Any]:
        """All that is known, as JSON."""
        tables = [table.name for table in self.tables]
        return {**asdict(self.space), "tables": tables, "metrics": self.metrics}


@dataclass(frozen=True, slots=True)
class ShownTable:
    """An imported table: its columns, those that are recorded targets, and its first rows."""

    info: TableInfo
    targets: tuple[RecordedColumn, ...]
    first: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON."""
        targets = [f"{c.metric}@recorded:{c.target}" for c in self.targets]
        return {**table_json(self.info), "targets": targets, "first": list(self.first)}


@dataclass(frozen=True, slots=True)
class Kind:
    """A published format that can be imported, and the files that it takes."""

    name: str
    title: str
    takes: str


def table_json(info: TableInfo) -> dict[str, Any]:
    """What is known of an imported table, as JSON."""
    return {**asdict(info), "path": str(info.path)}


def tables_folder(folder: Path | None) -> Path:
    """The folder of imported tables: the one given, or the one in the user's data directory."""
    return default_folder() if folder is None else folder


def spaces(folder: Path | None = None) -> tuple[ListedSpace, ...]:
    """All spaces by name with the tables imported for them."""
    imported = list_tables(tables_folder(folder))
    return tuple(
        ListedSpace(info, tuple(table for table in imported if table.space == info.name))
        for info in list_spaces()
    )


def tables(folder: Path | None = None) -> tuple[TableInfo, ...]:
    """All imported tables by name."""
    return list_tables(tables_folder(folder))


def show_candidate(reference: str) -> Shown:
    """Draw and count `SPACE:CANDIDATE`, where SPACE is a name or a file of one's own.

    Raises: InputError when there is no such space or candidate.
    """
    # The colon after `.py` parts the file from the candidate; a name holds no colon.
    file, found, rest = reference.partition(".py:")
    name, colon, text = (f"{file}.py", ":", rest) if found else reference.partition(":")
    if not colon or not text:
        raise InputError(f"{reference!r} names no candidate; write one like nasbench201:857")
    space = open_space(name)
    return show(space, candidate_genes(space, text))


def kinds() -> tuple[Kind, ...]:
    """All formats that can be imported, by name."""
    readers: list[Reader] = [load("nasprof.tables", name) for name in names("nasprof.tables")]
    own = Kind(KIND, "Table of your own", "CSV, CSV.GZ or Parquet files, with --space NAME")
    return (*(Kind(r.name, r.title, r.takes) for r in readers), own)


def import_files(
    kind: str, files: Sequence[Path], folder: Path | None = None, space: str | None = None
) -> tuple[TableInfo, ...]:
    """Read published files, or tables of one's own for a space, and keep them as typed Parquet.

    Raises: InputError for files that are of another kind, damaged, unsafe or of another space.
    """
    target = tables_folder(folder)
    if kind != KIND:
        if space is not None:
            raise InputError(f"--space is for kind {KIND!r}; files of {kind!r} say their space")
        if kind not in names("nasprof.tables"):
            known = ", ".join(known.name for known in kinds())
            raise InputError(f"unknown kind of table {kind!r}; the kinds are: {known}")
        return tuple(table_info(t.path) for t in import_table(kind, files, target))
    if space is None:
        raise InputError(f"kind {KIND!r} needs --space NAME: whose architectures the rows are")
    if not files:
        raise InputError("give the files of the table: CSV, CSV.GZ or Parquet")
    tables = [_of_space(read_table(path), space) for path in files]
    return tuple(table_info(import_neutral(t, open_space(space), target)) for t in tables)


def show_table(name: str, folder: Path | None = None) -> ShownTable:
    """Open an imported table.

    Raises: InputError when there is none of that name.
    """
    table = find_table(name, tables_folder(folder))
    info = table_info(table.path)
    space = load("nasprof.spaces", info.space) if info.space in names("nasprof.spaces") else None
    first = tuple(table.row(number) for number in range(min(_SHOWN_ROWS, len(table))))
    return ShownTable(info, recorded_columns(table, space), first)


def _of_space(table: Table, name: str) -> Table:
    """Check that every row is an architecture of the space, or a layer of it."""
    space = open_space(name)
    if LAYER_COLUMN not in table.names:
        table.candidates(space)
    return table
