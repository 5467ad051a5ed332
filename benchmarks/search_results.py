"""Runs of a benchmark, kept one by one in a file, so that a benchmark that was killed goes on."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Runs:
    """A CSV file with a row a run; the first `keys` columns say which run it is."""

    path: Path
    keys: Sequence[str]
    values: Sequence[str]

    def rows(self) -> list[Row]:
        """All runs that were finished."""
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values()]

    def do(self, wanted: Iterable[Sequence[object]], one: Callable[..., Sequence[object]]) -> None:
        """Make the runs that are not there yet; several processes may append to one file."""
        done = {tuple(row[key] for key in self.keys) for row in self.rows()}
        self.path.parent.mkdir(exist_ok=True)
        if not self.path.exists():
            self._append([*self.keys, *self.values])
        for key in wanted:
            if tuple(map(str, key)) not in done:
                self._append([*key, *one(*key)])

    def _append(self, row: Sequence[object]) -> None:
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(row)


def write_table(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a summary that is committed."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
