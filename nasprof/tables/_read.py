"""Reading the neutral forms of a table: CSV, gzipped CSV and Parquet."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from nasprof.tables._table import Table
from profiler.core.errors import InputError

SUFFIXES = (".csv", ".csv.gz", ".parquet")


def read_table(path: Path) -> Table:
    """Read a CSV, gzipped CSV or Parquet file with one architecture a row.

    Raises: InputError when the file is missing, empty, damaged or of another kind.
    """
    if not path.is_file():
        raise InputError(
            f"{path} is {'a directory' if path.is_dir() else 'not there'}; give a file"
        )
    if not path.name.endswith(SUFFIXES):
        raise InputError(f"{path} is no table; the kinds are: {', '.join(SUFFIXES)}")
    try:
        data = _read(path)
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} cannot be read as a table: {reason}") from None
    if data.num_rows == 0:
        raise InputError(f"{path} has no rows")
    if len(set(data.column_names)) < data.num_columns:
        twice = sorted({n for n in data.column_names if data.column_names.count(n) > 1})
        raise InputError(f"{path} has more than one column named {twice[0]!r}")
    return Table(path, data)


def split_reference(text: str) -> tuple[Path, str | None]:
    """Split `FILE[:COLUMN]` into file and column; a file whose name has a colon wins.

    Raises: InputError when there is no such file.
    """
    if Path(text).is_file():
        return Path(text), None
    file, colon, column = text.rpartition(":")
    if colon and Path(file).is_file():
        return Path(file), column or None
    raise InputError(f"there is no file {file if colon else text!r}; write FILE or FILE:COLUMN")


def metric_column(table: Table, name: str | None) -> str:
    """The column to read as the metric: the one named, or the only one that it can be.

    Raises: InputError when the name is unknown or not numeric, or none is named and there are more.
    """
    if name is not None:
        table.numbers(name)
        return name
    known = {"index", "flops", "macs", "params"}
    found = [c.name for c in table.columns if c.kind == "number" and c.name not in known]
    if len(found) == 1:
        return found[0]
    shown = ", ".join(found) or "none"
    raise InputError(f"{table.path}: name the metric as FILE:COLUMN; numeric columns are: {shown}")


def _read(path: Path) -> pa.Table:
    if path.name.endswith(".parquet"):
        return pyarrow.parquet.read_table(path)
    # Text that looks like a number is a number; empty fields of a number column are missing.
    return pyarrow.csv.read_csv(path)
