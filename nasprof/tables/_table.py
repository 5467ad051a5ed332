"""A table of architectures and what was published about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from profiler.core.errors import InputError

ARCH_COLUMNS = ("arch", "architecture", "arch_str")
INDEX_COLUMNS = ("index",)

Genes = tuple[int, ...]
Value = str | int | float | None


class Readable(Protocol):
    """The part of a search space that finds its candidates in a table."""

    @property
    def name(self) -> str: ...
    @property
    def gene_names(self) -> tuple[str, ...]: ...
    @property
    def choices(self) -> tuple[tuple[str | int | float, ...], ...]: ...

    def parse(self, text: str) -> Genes: ...


@runtime_checkable
class Mending(Protocol):
    """A space that turns any genes into valid ones: a table may hold genes that do nothing."""

    def repair(self, genes: Genes) -> Genes: ...


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `kind` is `number`, `text` or `list`.

    `unit`, `metric` (`latency`, `accuracy`) and `device` are None where the file does not say.
    """

    name: str
    kind: str
    unit: str | None = None
    metric: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A file of architectures, one a row, with typed columns.

    Unit: numbers are as in the file; `Column.unit` names the unit.
    """

    path: Path
    data: pa.Table

    def __len__(self) -> int:
        return int(self.data.num_rows)

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns in file order."""
        return tuple(column_of(field) for field in self.data.schema)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns in file order."""
        return tuple(self.data.column_names)

    @property
    def notes(self) -> Mapping[str, str]:
        """What an import wrote about the file: space, source, metric of a column."""
        found = self.data.schema.metadata or {}
        return {k.decode(): v.decode() for k, v in found.items() if k.startswith(b"nasprof.")}

    def column(self, name: str) -> Column:
        """The column with a name.

        Raises: InputError naming the file, the column and the columns that exist.
        """
        if name not in self.data.column_names:
            raise InputError(
                f"{self.path} has no column {name!r}; its columns are: {', '.join(self.names)}"
            )
        return column_of(self.data.schema.field(name))

    def numbers(self, name: str) -> NDArray[np.float64]:
        """The values of a numeric column; NaN where a value is missing.

        Raises: InputError when there is no such column or it holds text.
        """
        if self.column(name).kind != "number":
            numeric = ", ".join(c.name for c in self.columns if c.kind == "number") or "none"
            raise InputError(
                f"column {name!r} of {self.path} is not numeric; the numeric columns are: {numeric}"
            )
        values = pc.cast(self.data.column(name), pa.float64()).to_numpy()
        return np.asarray(values, dtype=np.float64)

    def values(self, name: str) -> list[Any]:
        """The values of any column as Python objects; None where a value is missing.

        Raises: InputError when there is no such column.
        """
        self.column(name)
        found: list[Any] = self.data.column(name).to_pylist()
        return found

    def row(self, number: int) -> dict[str, Any]:
        """One row as a mapping of column to value."""
        found: dict[str, Any] = self.data.slice(number, 1).to_pylist()[0]
        return found

    def find(self, text: str) -> int:
        """The row of an architecture given by its text or its index.

        Raises: InputError when no row has it.
        """
        text = text.strip()
        keys = [self._key(ARCH_COLUMNS)]
        if text.isdecimal():
            keys.insert(0, self._key(INDEX_COLUMNS))
        for key in keys:
            if key and (row := self._place(key, text)) is not None:
                return row
        tried = " or ".join(repr(key) for key in keys if key)
        where = f"column {tried}" if tried else f"columns ({', '.join(self.names)})"
        raise InputError(f"no row of {self.path} has {text!r} in its {where}")

    def candidates(self, space: Readable) -> dict[Genes, int]:
        """The row of each candidate of a space; the first row where one occurs twice.

        Rows are matched by the space's gene columns, else by its text, else by its index.
        Raises: InputError when the file has none of these, or a row is not in the space.
        """
        if genes := self._by_genes(space):
            return genes
        key = self._key(ARCH_COLUMNS) or self._key(INDEX_COLUMNS)
        if key is None:
            raise InputError(
                f"{self.path} does not say which {space.name} architecture a row is: it needs a "
                f"column 'arch' or 'index', or the columns {', '.join(space.gene_names)}"
            )
        found: dict[Genes, int] = {}
        for row, text in enumerate(self.values(key)):
            found.setdefault(self._parsed(space, key, row, text), row)
        return found

    def _place(self, key: str, text: str) -> int | None:
        column = self.data.column(key)
        try:
            row = pc.index(column, pa.scalar(text).cast(column.type)).as_py()
        except pa.ArrowInvalid:  # text in a column of numbers
            return None
        return int(row) if row >= 0 else None

    def _key(self, names: Sequence[str]) -> str | None:
        return next((name for name in names if name in self.data.column_names), None)

    def _parsed(self, space: Readable, key: str, row: int, text: Any) -> Genes:
        try:
            return space.parse(str(text))
        except InputError as error:
            raise InputError(f"{self.path}, row {row + 1}, column {key!r}: {error}") from None

    def _by_genes(self, space: Readable) -> dict[Genes, int]:
        columns = self._spread()
        if not set(space.gene_names) <= columns.keys():
            return {}
        coded = [
            self._coded(name, columns[name], options)
            for name, options in zip(space.gene_names, space.choices, strict=True)
        ]
        found: dict[Genes, int] = {}
        for row, genes in enumerate(zip(*coded, strict=True)):
            found.setdefault(space.repair(genes) if isinstance(space, Mending) else genes, row)
        return found

    def _spread(self) -> dict[str, list[Any]]:
        # A list column `depth` counts as columns `depth_1`, `depth_2`, ...
        columns: dict[str, list[Any]] = {}
        for column in self.columns:
            values = self.values(column.name)
            if column.kind == "list":
                for place, part in enumerate(zip(*values, strict=True), start=1):
                    columns[f"{column.name}_{place}"] = list(part)
            else:
                columns[column.name] = values
        return columns

    def _coded(self, name: str, values: list[Any], options: Sequence[Value]) -> list[int]:
        codes = {option: code for code, option in enumerate(options)}
        try:
            return [codes[value] for value in values]
        except KeyError as error:
            raise InputError(
                f"column {name!r} of {self.path} holds {error.args[0]!r}; "
                f"it must be one of: {', '.join(map(str, options))}"
            ) from None


def column_of(field: pa.Field) -> Column:
    """What an Arrow field says about its column."""
    numeric = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    kind = (
        "number"
        if numeric
        else "list"
        if pa.types.is_list(field.type) or pa.types.is_large_list(field.type)
        else "text"
    )
    facts = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    return Column(field.name, kind, facts.get("unit"), facts.get("metric"), facts.get("device"))
