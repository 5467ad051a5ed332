"""A table of one's own, CSV or Parquet, becomes an imported table with units."""

from __future__ import annotations

from pathlib import Path

from nasprof.tables._read import SUFFIXES
from nasprof.tables._reader import Content, Series, named_source, write_content
from nasprof.tables._recorded import recorded_columns
from nasprof.tables._table import Readable, Table

KIND = "table"


def import_neutral(table: Table, space: Readable, folder: Path) -> Path:
    """Write a table as typed Parquet `table.NAME.parquet`, where NAME is that of the file.

    Units that the file says, by its metadata, column names or own name, are kept as metadata.
    Raises: InputError when the folder cannot be written.
    """
    known = {column.column: column for column in recorded_columns(table, space)}
    columns = []
    for column in table.columns:
        unit, metric, device = column.unit, column.metric, column.device
        if column.name in known:
            found = known[column.name]
            unit, metric, device = found.unit, found.metric, device or found.target
        columns.append(Series(column.name, table.values(column.name), unit, metric, device))
    stem = table.path.name
    for suffix in SUFFIXES:
        stem = stem.removesuffix(suffix)
    path = folder / f"{KIND}.{stem}.parquet"
    source = named_source(table.path)
    notes = {"kind": KIND, "space": space.name, "source": source}
    write_content(Content(space.name, tuple(columns)), notes, path)
    return path
