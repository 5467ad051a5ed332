"""The tables that a person has imported: where they are, what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import platformdirs
import pyarrow as pa
import pyarrow.parquet

from nasprof.tables._read import read_table
from nasprof.tables._table import Column, Table, column_of
from profiler.core.errors import InputError


@dataclass(frozen=True, slots=True)
class TableInfo:
    """What is known of an imported table without reading its values."""

    name: str
    path: Path
    space: str
    source: str
    rows: int
    columns: tuple[Column, ...]


def default_folder() -> Path:
    """The folder of imported tables in the user's data directory."""
    return Path(platformdirs.user_data_dir("nasprof", appauthor=False)) / "tables"


def list_tables(folder: Path) -> tuple[TableInfo, ...]:
    """All imported tables by name; none where the folder is not there.

    Raises: InputError when a file of the folder is no table.
    """
    return tuple(table_info(path) for path in sorted(folder.glob("*.parquet")))


def find_table(name: str, folder: Path) -> Table:
    """Open an imported table by its name.

    Raises: InputError when there is none; the message lists those that exist.
    """
    known = {info.name: info.path for info in list_tables(folder)}
    if name not in known:
        listed = ", ".join(known) or "none yet; import one with nasprof tables import"
        raise InputError(f"unknown table {name!r}; imported tables: {listed}")
    return read_table(known[name])


def tables_of(space: str, folder: Path) -> tuple[Table, ...]:
    """The imported tables of one search space."""
    return tuple(read_table(i.path) for i in list_tables(folder) if i.space == space)


def table_info(path: Path) -> TableInfo:
    """Read what a Parquet file says about itself.

    Raises: InputError when it cannot be read.
    """
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} cannot be read as a table: {reason}") from None
    schema = file.schema_arrow
    notes = {k.decode(): v.decode() for k, v in (schema.metadata or {}).items()}
    return TableInfo(
        name=path.name.removesuffix(".parquet"),
        path=path,
        space=notes.get("nasprof.space", ""),
        source=notes.get("nasprof.source", ""),
        rows=file.metadata.num_rows,
        columns=tuple(column_of(field) for field in schema),
    )
