"""Costs whose values are looked up in published tables instead of measured on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasprof.search.opening import Opened, file_hash
from nasprof.spaces._space import Genes
from nasprof.spaces._table_space import TableSpace
from nasprof.tables._library import default_folder, tables_of
from nasprof.tables._read import read_table
from nasprof.tables._recorded import BASE, Recorded, open_recorded
from nasprof.tables._table import Table
from profiler.core.choice import RECORDED, Constraint, Objective
from profiler.core.errors import InputError

Cost = Constraint | Objective
_COUNTED = ("macs", "params")


@dataclass(frozen=True, slots=True)
class Costs:
    """A static cost that is a column of the table that a space is made of.

    Unit: base units, the column's own unit multiplied out.
    """

    space: TableSpace
    column: str
    values: NDArray[np.float64]

    def value(self, genes: Genes) -> float:
        """The cost of a candidate.

        Raises: InputError when its field is empty.
        """
        found = float(self.values[self.space.row(genes)])
        if isnan(found):
            text = self.space.describe(genes)
            raise InputError(f"{self.space.name} has no {self.column!r} for {text}")
        return found


@dataclass(frozen=True, slots=True)
class LookUps:
    """All metrics of a search that are looked up, by the key of their limit.

    `whole` tells that nothing is left to measure or count: no network is built or exported.
    """

    targets: Mapping[str, Recorded]
    costs: Mapping[str, Costs]
    whole: bool

    def values(self, genes: Genes) -> dict[str, float | None]:
        """Every looked-up metric of a candidate in base units.

        Raises: InputError when a table has no value for it.
        """
        found: dict[str, float | None] = dict.fromkeys(_COUNTED) if self.whole else {}
        found |= {key: target.value(genes) for key, target in self.targets.items()}
        return found | {key: cost.value(genes) for key, cost in self.costs.items()}

    @property
    def record(self) -> dict[str, Any]:
        """What a trial keeps about where its values come from."""
        labels = {key: target.label for key, target in self.targets.items()}
        labels |= {key: f"column {cost.column!r} of the table" for key, cost in self.costs.items()}
        return {"recorded": labels} if labels else {}

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the person: what is recorded was not measured here."""
        return tuple(
            f"{key} is recorded, not measured on this machine: looked up in {target.source}"
            for key, target in self.targets.items()
        )


def look_ups(
    opened: Opened, costs: Sequence[Cost], file: Path | None, folder: Path | None
) -> LookUps:
    """Find the tables for recorded targets and for costs of a table space.

    `file` is used instead of the imported tables of `folder`.
    Raises: InputError when a table has no such column; the message lists those that exist.
    """
    wanted = [c for c in costs if c.recorded]
    if file is not None and not wanted:
        raise InputError("--recorded is for a limit such as 'latency@recorded:pixel3<=20ms'")
    tables = _tables(opened, file, folder) if wanted else []
    targets = {c.key: _recorded(c, opened, tables) for c in wanted}
    if not isinstance(opened.space, TableSpace) or opened.table is None:
        return LookUps(targets, {}, bool(costs) and len(wanted) == len(costs))
    static = [c for c in costs if not c.recorded]
    columns = {c.key: _cost(c, opened.space, opened.table) for c in static}
    for name in _COUNTED:
        if name not in columns and (column := _column(name, opened.table)) is not None:
            columns[name] = _costs(column, opened.space, opened.table)
    return LookUps(targets, columns, True)


def identity(lookups: LookUps, file: Path | None) -> dict[str, object]:
    """What of the tables makes a search the same search: their sources, by key."""
    if not lookups.targets:
        return {}
    sources: dict[str, object] = {key: t.source for key, t in lookups.targets.items()}
    given = {} if file is None else {"file": str(file), "sha256": file_hash(file)}
    return {"recorded": sources | given}


def _tables(opened: Opened, file: Path | None, folder: Path | None) -> list[Table]:
    if file is not None:
        return [read_table(file)]
    if opened.table is not None:
        return [opened.table]
    return list(tables_of(opened.space.name, default_folder() if folder is None else folder))


def _recorded(constraint: Cost, opened: Opened, tables: Sequence[Table]) -> Recorded:
    assert constraint.target is not None
    if constraint.metric not in BASE:
        raise InputError(
            f"{constraint.key}: only {' and '.join(BASE)} of a recorded target can be limited"
        )
    name = constraint.target.removeprefix(f"{RECORDED}:")
    return open_recorded(name, constraint.metric, opened.space, tables)


def _cost(constraint: Cost, space: TableSpace, table: Table) -> Costs:
    if constraint.target is not None:
        raise InputError(
            f"{constraint.key} cannot be measured: {space.name} is a table and has no networks; "
            f"limit a column, as in '{constraint.metric}@recorded:COLUMN<=...'"
        )
    column = _column(constraint.metric, table)
    if column is None:
        raise InputError(
            f"{table.path} has no numeric column {constraint.metric!r}; its columns are: "
            f"{', '.join(table.names)}"
        )
    return _costs(column, space, table)


def _column(metric: str, table: Table) -> str | None:
    """The column of that name, or the only one that an import marked with the metric."""
    numeric = [column for column in table.columns if column.kind == "number"]
    named = [column.name for column in numeric if column.name == metric]
    marked = [column.name for column in numeric if column.metric == metric]
    return named[0] if named else marked[0] if len(marked) == 1 else None


def _costs(column: str, space: TableSpace, table: Table) -> Costs:
    unit = table.column(column).unit
    return Costs(space, column, table.numbers(column) * _scale(unit, column, table))


def _scale(unit: str | None, column: str, table: Table) -> float:
    try:
        return 1.0 if unit in (None, "B") else float(unit)
    except ValueError:
        raise InputError(
            f"column {column!r} of {table.path} is in {unit}, which is no count or bytes"
        ) from None
