"""A search space that is the rows of a table: no networks, only what was measured of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nasprof.spaces._space import Choice, Genes
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn


class Source(Protocol):
    """The part of a table that a space is made of."""

    @property
    def path(self) -> Path: ...
    @property
    def names(self) -> tuple[str, ...]: ...

    def values(self, name: str) -> list[Any]: ...
    def numbers(self, name: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class TableSpace:
    """The rows of a table as architectures; genes are places among a column's sorted values.

    Unit: `metric` names the column that a search optimises, as in the file.
    """

    name: str
    title: str
    metric: str
    gene_names: tuple[str, ...]
    choices: tuple[tuple[Choice, ...], ...]
    rows: Mapping[Genes, int]
    task: str = "table"
    input_shape: tuple[int, ...] = (1,)
    input_dtype: str = "float32"
    input_high: int | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many different values each column has."""
        return tuple(len(options) for options in self.choices)

    def valid(self, genes: Genes) -> bool:
        """Tell whether the table has a row with these values."""
        return genes in self.rows

    def canonical(self, genes: Genes) -> Genes:
        """The genes themselves."""
        return genes

    def members(self) -> Sequence[Genes]:
        """The architectures of the table in row order."""
        return tuple(self.rows)

    def row(self, genes: Genes) -> int:
        """The row of an architecture.

        Raises: InputError when there is none.
        """
        if genes not in self.rows:
            raise InputError(f"{self.name} has no row with {self.describe(genes)}")
        return self.rows[genes]

    def describe(self, genes: Genes) -> str:
        """Write `column=value,...`."""
        values = (options[gene] for options, gene in zip(self.choices, genes, strict=True))
        return ",".join(f"{n}={v}" for n, v in zip(self.gene_names, values, strict=True))

    def parse(self, text: str) -> Genes:
        """Read `column=value,...`.

        Raises: InputError when it is in another form or the table has no such row.
        """
        for genes in self._matching(text):
            return genes
        shown = ", ".join(f"{name}=..." for name in self.gene_names)
        raise InputError(f"{self.name} has no row {text!r}; write {shown} with values of the table")

    def build(self, genes: Genes, *, classes: int = 1) -> nn.Module:
        """Refuse: a table has no networks.

        Raises: InputError always.
        """
        raise InputError(f"{self.name} is a table: it has no networks to build")

    def small(self, genes: Genes, *, classes: int, channels: int) -> nn.Module:
        """Refuse: a table has no networks.

        Raises: InputError always.
        """
        raise InputError(f"{self.name} is a table: it has no networks to train")

    def _matching(self, text: str) -> list[Genes]:
        # Values may hold commas and equal signs: each gene takes the text up to the next name.
        ends = [f",{name}=" for name in self.gene_names[1:]] + [""]
        left, genes = text.strip(), []
        for name, end, options in zip(self.gene_names, ends, self.choices, strict=True):
            if not left.startswith(f"{name}="):
                return []
            left = left[len(name) + 1 :]
            value, found, rest = left.partition(end) if end else (left, "", "")
            written = [str(option) for option in options]
            if value not in written:
                return []
            genes.append(written.index(value))
            left = end[1:] + rest if found else ""
        return [tuple(genes)] if tuple(genes) in self.rows else []


def table_space(table: Source, genes: Sequence[str], metric: str) -> TableSpace:
    """Make a space of a table: `genes` are the columns that tell rows apart, text or numbers.

    Where several rows have the same values, the first one counts.
    Raises: InputError when a column is missing, repeated or has gaps, or the metric is no number.
    """
    if not genes or len(set(genes)) != len(genes) or metric in genes:
        raise InputError("name each gene column once, and the metric apart from them")
    table.numbers(metric)
    columns = [_complete(table, name) for name in genes]
    choices = tuple(
        _options(table, name, values) for name, values in zip(genes, columns, strict=True)
    )
    codes = [{value: code for code, value in enumerate(options)} for options in choices]
    rows: dict[Genes, int] = {}
    for number, values in enumerate(zip(*columns, strict=True)):
        rows.setdefault(tuple(code[v] for code, v in zip(codes, values, strict=True)), number)
    stem = table.path.name.split(".")[0]
    return TableSpace(
        name=f"table-{stem}",
        title=f"{len(rows)} rows of {table.path.name}, metric {metric}",
        metric=metric,
        gene_names=tuple(genes),
        choices=choices,
        rows=rows,
    )


def _complete(table: Source, name: str) -> list[Any]:
    values = table.values(name)
    if any(value is None for value in values):
        raise InputError(f"column {name!r} of {table.path} has empty fields; genes need a value")
    if any(isinstance(value, list | dict) for value in values):
        raise InputError(f"column {name!r} of {table.path} holds lists; genes are text or numbers")
    return values


def _options(table: Source, name: str, values: list[Any]) -> tuple[Choice, ...]:
    try:
        return tuple(sorted(set(values)))
    except TypeError:
        raise InputError(f"column {name!r} of {table.path} mixes text and numbers") from None
