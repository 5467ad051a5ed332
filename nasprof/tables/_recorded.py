"""Recorded targets: a published measurement instead of a measurement on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nasprof.tables._table import INDEX_COLUMNS, Genes, Readable, Table
from profiler.core.errors import InputError

# Base unit of each metric, and what a unit of a file is in it.
BASE = {"latency": "ns", "energy": "mJ"}
SCALES = {
    "latency": {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9},
    "energy": {"uJ": 1e-3, "mJ": 1.0, "J": 1e3},
}
LAYER_COLUMN = "key"
RESOLUTION_COLUMN = "res"


@runtime_checkable
class Layered(Protocol):
    """A space whose tables may hold the cost of layers."""

    def layer_keys(self, genes: Genes) -> tuple[str, ...]: ...


@runtime_checkable
class Shaped(Protocol):
    """A space where the genes choose the input's size."""

    def shape_of(self, genes: Genes) -> tuple[int, ...]: ...


@dataclass(frozen=True, slots=True)
class RecordedColumn:
    """A column that can stand for a device.

    Unit: `unit` is that of the file.
    """

    column: str
    metric: str
    device: str
    unit: str

    @property
    def target(self) -> str:
        """The name of the target, for `latency@recorded:NAME`."""
        return self.column.removesuffix(f".{self.metric}")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A device whose measurements are looked up.

    Unit: ns for latency, mJ for energy. `source` names the file that the values come from, `layers`
    the rows of a table of layers instead of networks.
    """

    target: str
    metric: str
    source: str
    space: Readable
    rows: Mapping[Genes, int]
    values: NDArray[np.float64]
    layers: Mapping[str, int]

    @property
    def unit(self) -> str:
        """The unit of `value`."""
        return BASE[self.metric]

    @property
    def label(self) -> str:
        """How a result is marked wherever it is shown."""
        return f"recorded:{self.target} (published, {self.source})"

    def value(self, genes: Genes) -> float:
        """The recorded value of a candidate; for a table of layers their sum.

        Unit: ns or mJ.
        Raises: InputError when the table has no value for it.
        """
        found = self._sum(genes) if self.layers else self._row(genes)
        if found is None or isnan(found):
            raise InputError(
                f"{self.source} has no {self.metric} on {self.target} for "
                f"{'.'.join(map(str, genes))} of {self.space.name}"
            )
        return found

    def _row(self, genes: Genes) -> float | None:
        row = self.rows.get(genes)
        return None if row is None else float(self.values[row])

    def _sum(self, genes: Genes) -> float | None:
        assert isinstance(self.space, Layered)
        size = self.space.shape_of(genes)[-1] if isinstance(self.space, Shaped) else None
        rows = []
        for key in self.space.layer_keys(genes):
            row = self.layers.get(_layer(size, key), self.layers.get(key))
            if row is None:
                return None
            rows.append(row)
        return float(sum(self.values[rows]))


def recorded_columns(table: Table, space: Readable | None = None) -> tuple[RecordedColumn, ...]:
    """The columns of a table that hold latencies or energies.

    They are known from the file's metadata, from a column name such as `mean_ms`, or from a file
    name such as `..._latency_ms.parquet`, whose numeric columns are then devices.
    """
    skipped = {*INDEX_COLUMNS, RESOLUTION_COLUMN, *(space.gene_names if space else ())}
    numeric = [c for c in table.columns if c.kind == "number" and c.name not in skipped]
    found = [
        RecordedColumn(c.name, c.metric, c.device or c.name, c.unit)
        for c in numeric
        if c.metric in BASE and c.unit in SCALES[c.metric]
    ]
    if not found and (named := _from_file_name(table.path)):
        found = [RecordedColumn(c.name, named[0], c.name, named[1]) for c in numeric]
    return tuple(found or _from_column_names(table, [c.name for c in numeric]))


def open_recorded(name: str, metric: str, space: Readable, tables: Iterable[Table]) -> Recorded:
    """Find the column for `METRIC@recorded:NAME`; NAME is a column, or a device of one column.

    Raises: InputError when no table of the space has it, or more than one column fits; the message
    lists the targets that exist.
    """
    offers = [
        (table, column)
        for table in tables
        if _fits(table, space)
        for column in recorded_columns(table, space)
        if column.metric == metric
    ]
    exact = [o for o in offers if name in (o[1].column, o[1].target)]
    fitting = exact or [o for o in offers if name == o[1].device]
    if len(fitting) == 1:
        return recorded(fitting[0][0], fitting[0][1], space)
    names = ", ".join(column.target for _, column in fitting or offers) or "none"
    what = "is more than one column" if fitting else "is unknown"
    raise InputError(
        f"recorded {metric} {name!r} of {space.name} {what}; recorded targets: {names}"
        + ("" if offers else "; import a table first: nasprof tables import")
    )


def recorded(table: Table, column: RecordedColumn, space: Readable) -> Recorded:
    """Open one column as a target.

    Raises: InputError when the table does not tell the architectures of the space apart.
    """
    layers = _layers(table) if LAYER_COLUMN in table.names and isinstance(space, Layered) else {}
    values = table.numbers(column.column) * SCALES[column.metric][column.unit]
    rows = {} if layers else table.candidates(space)
    source = table.notes.get("nasprof.source", table.path.name)
    return Recorded(column.target, column.metric, source, space, rows, values, layers)


def _layers(table: Table) -> dict[str, int]:
    keys = table.values(LAYER_COLUMN)
    if RESOLUTION_COLUMN in table.names:
        sizes = table.values(RESOLUTION_COLUMN)
        keys = [_layer(size, key) for size, key in zip(sizes, keys, strict=True)]
    return {key: row for row, key in enumerate(keys)}


def _layer(size: int | None, key: str) -> str:
    # The same layer can be listed once for each size of the network's input.
    return f"{size}:{key}"


def _fits(table: Table, space: Readable) -> bool:
    return table.notes.get("nasprof.space", space.name) == space.name


def _from_file_name(path: Path) -> tuple[str, str] | None:
    stem = path.name.split(".")[0]
    for metric, units in SCALES.items():
        for unit in units:
            if stem.lower().endswith(f"_{metric}_{unit.lower()}"):
                return metric, unit
    return None


def _from_column_names(table: Table, names: Iterable[str]) -> list[RecordedColumn]:
    found = []
    for name in names:
        stem, _, unit = name.rpartition("_")
        for metric, units in SCALES.items():
            for known in units:
                # `mean_ms` in a table of one device stands for the file.
                if stem and unit.lower() == known.lower():
                    plain = stem in ("mean", "median", metric)
                    target = table.path.name.split(".")[0] if plain else stem
                    found.append(RecordedColumn(name, metric, target, known))
    return found
