"""The space that a person named: one of the project, a file of their own, or a table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nasprof.prune._space import PREFIX, pruned_space
from nasprof.spaces._open import open_space
from nasprof.spaces._space import Space
from nasprof.spaces._table_space import TableSpace, table_space
from nasprof.tables._read import read_table
from nasprof.tables._table import Table
from profiler.core.errors import InputError

_TABLE = "table:"


@dataclass(frozen=True, slots=True)
class Opened:
    """A space with what else makes a search of it the same search.

    `table` is the table that the space is made of, `accuracy` how accuracies are found unless the
    person says otherwise.
    """

    space: Space
    accuracy: str
    table: Table | None
    identity: Mapping[str, object]


def open_searched(text: str, genes: tuple[str, ...], metric: str | None) -> Opened:
    """Open a space by name, `FILE.py`, `pruned:SUBJECT`, or `table:FILE` with columns.

    A table needs those of its genes and its metric.

    Raises: InputError when there is none, or columns are named for a space that has none.
    """
    if text.startswith(_TABLE):
        return _of_table(Path(text.removeprefix(_TABLE)), genes, metric)
    if genes or metric is not None:
        raise InputError(f"--genes and --metric are for --space table:FILE, not for {text!r}")
    space = pruned_space(text) if text.startswith(PREFIX) else open_space(text)
    own = {"space": text, "space_sha256": file_hash(Path(text))} if text.endswith(".py") else {}
    return Opened(space, "digits", None, own)


def file_hash(path: Path) -> str:
    """The first half of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


def _of_table(path: Path, genes: tuple[str, ...], metric: str | None) -> Opened:
    table = read_table(path)
    if not genes or metric is None:
        raise InputError(
            f"a table as a space needs --genes COLUMN,... and --metric COLUMN; the columns of "
            f"{path} are: {', '.join(table.names)}"
        )
    # An import may have noted another space; here the rows are the space.
    plain = Table(table.path, table.data.replace_schema_metadata(None))
    space: TableSpace = table_space(plain, genes, metric)
    identity = {
        "space": f"{_TABLE}{path}",
        "space_sha256": file_hash(path),
        "genes": list(genes),
        "metric": metric,
    }
    return Opened(space, f"table:{path}:{metric}", plain, identity)
