"""Accuracy looked up in a table of architectures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasprof.evaluate._evaluator import Accuracy
from nasprof.spaces._space import Genes, Space
from nasprof.tables._read import metric_column, read_table, split_reference
from profiler.core.errors import InputError


@dataclass(frozen=True, slots=True)
class LookUp:
    """The opened column of a table.

    Shapes: shares [rows], in 0..1, NaN where the table is silent.
    """

    space: Space
    path: Path
    column: str
    rows: Mapping[Genes, int]
    shares: NDArray[np.float64]

    def __call__(self, genes: Genes) -> float:
        """The accuracy of an architecture, or of one that computes the same.

        Raises: InputError when the table has neither.
        """
        row = self.rows.get(genes, self.rows.get(self.space.canonical(genes)))
        if row is None or np.isnan(self.shares[row]):
            text = self.space.describe(genes)
            raise InputError(f"{self.path} has no {self.column!r} for {text}")
        return float(self.shares[row])


@dataclass(frozen=True, slots=True)
class TableAccuracy:
    """Reads CSV and Parquet; a column with a value above 1 is taken for percent."""

    name: str = "table"
    usage: str = "table:FILE[:COLUMN]"

    def open(self, space: Space, argument: str | None, seed: int) -> Accuracy:
        """Read the table; the seed has nothing to decide.

        Raises: InputError when the file or column is not there or holds no accuracies.
        """
        if not argument:
            raise InputError(f"accuracy 'table' needs a file; write {self.usage}")
        path, named = split_reference(argument)
        table = read_table(path)
        column = metric_column(table, named)
        return LookUp(
            space,
            path,
            column,
            table.candidates(space),
            _shares(table.numbers(column), path, column),
        )


def _shares(values: NDArray[np.float64], path: Path, column: str) -> NDArray[np.float64]:
    known = values[~np.isnan(values)]
    if len(known) == 0 or known.min() < 0 or known.max() > 100:
        raise InputError(f"column {column!r} of {path} holds no accuracies in 0..1 or 0..100")
    return values / 100 if known.max() > 1 else values


PLUGIN = TableAccuracy()
