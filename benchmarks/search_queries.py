"""Queries to the best cell of NAS-Bench-201, on a clean and a noisy signal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from time import process_time_ns

import numpy as np
from search_methods import METHODS, SLOW, AsNumbered
from search_results import RESULTS, Row, Runs, write_table
from tabulate import tabulate

from nasprof.search.problem import SearchProblem
from nasprof.search.trials import Measured, explore
from nasprof.spaces.nasbench201 import NasBench201
from nasprof.tables._read import read_table
from profiler.core.choice import Candidate

SIGNALS = ("c10_valid_200", "in16_single_200")
"""The mean over training runs, and one training run."""
TEST = {"c10_valid_200": "c10_test_200"}
SPACES = {"as numbered": AsNumbered(), "equal as one": NasBench201()}
CAP = 500
AFTER = (10, 20, 30, 50, 70, 100, 150, 200, 300, 500)
TESTED = (50, 100, 200)
RUNS = Runs(
    RESULTS / "search_queries.runs.csv",
    ("signal", "space", "strategy", "seed"),
    ("queries", "found", "seconds", *(f"best@{n}" for n in AFTER), *(f"test@{n}" for n in TESTED)),
)


class Found(BaseException):
    """Ends a run at the best cell."""


def wanted(methods: list[str], seeds: int, slow_seeds: int) -> Iterator[tuple[str, str, str, int]]:
    """The runs to make."""
    for signal in SIGNALS:
        for space in SPACES:
            for method in methods:
                for seed in range(slow_seeds if method in SLOW else seeds):
                    yield signal, space, method, seed


@cache
def column(data: Path, name: str) -> np.ndarray:
    """A column of the table, by index."""
    return read_table(data / "nasbench201.csv.gz").numbers(name)


def run(data: Path, signal: str, space_name: str, method: str, seed: int) -> list[object]:
    """Search until the best cell or the cap; seconds are of one processor."""
    space, scores = SPACES[space_name], column(data, signal)
    best, seen = int(np.argmax(scores)), list[int]()

    def evaluate(candidate: Candidate) -> float:
        seen.append(space.index_of(candidate.genes))
        if seen[-1] == best:
            raise Found
        return float(scores[seen[-1]]) / 100

    start, found = process_time_ns(), False
    try:
        explore(
            SearchProblem(space, (), "", queries=CAP, seed=seed),
            METHODS[method],
            measure=lambda candidate, again: Measured({}),
            evaluate=evaluate,
            on_trial=lambda trial: None,
        )
    except Found:
        found = True
    seconds = (process_time_ns() - start) / 1e9
    tops = np.maximum.accumulate(scores[seen])
    test = column(data, TEST.get(signal, signal))
    chosen = [max(seen[:n], key=lambda index: scores[index]) for n in TESTED]
    after = [f"{tops[min(n, len(tops)) - 1]:.3f}" for n in AFTER]
    tested = [f"{test[index]:.3f}" for index in chosen]
    return [len(seen) if found else CAP, int(found), f"{seconds:.2f}", *after, *tested]


HEAD = ("signal", "space", "strategy", "runs", "queries", "error", "median", "found", "s a run")
TEST_HEAD = tuple(f"test@{n}" for n in TESTED)


def summary(rows: list[Row]) -> list[list[object]]:
    """A line for each signal, space and strategy."""
    lines = []
    for signal in SIGNALS:
        for space in SPACES:
            for method in METHODS:
                key = (signal, space, method)
                found = [r for r in rows if (r["signal"], r["space"], r["strategy"]) == key]
                if found:
                    lines.append([*key, *_figures(found, signal in TEST)])
    return lines


def _figures(rows: list[Row], has_test: bool) -> list[object]:
    queries = np.array([float(row["queries"]) for row in rows])
    error = queries.std(ddof=1) / len(rows) ** 0.5 if len(rows) > 1 else float("nan")
    tests = [np.mean([float(row[name]) for row in rows]) for name in TEST_HEAD]
    return [
        len(rows),
        f"{queries.mean():.1f}",
        f"{error:.1f}",
        f"{np.median(queries):.0f}",
        f"{np.mean([float(row['found']) for row in rows]):.3f}",
        f"{np.mean([float(row['seconds']) for row in rows]):.2f}",
        *(f"{value:.2f}" if has_test else "" for value in tests),
    ]


def curves(rows: list[Row]) -> list[list[object]]:
    """Mean best score after some numbers of queries."""
    return [
        [*key, n, f"{np.mean([float(row[f'best@{n}']) for row in found]):.3f}"]
        for key, found in _grouped(rows).items()
        for n in AFTER
    ]


def _grouped(rows: list[Row]) -> dict[tuple[str, str, str], list[Row]]:
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["signal"], row["space"], row["strategy"]), []).append(row)
    return found


def report() -> None:
    """Print and write what the runs amount to."""
    rows = RUNS.rows()
    lines = summary(rows)
    print(f"\nQueries to the best cell, a run without it counts as {CAP}")
    print(tabulate(lines, [*HEAD, *TEST_HEAD]), flush=True)
    write_table(RESULTS / "search_queries.csv", [*HEAD, *TEST_HEAD], lines)
    head = ["signal", "space", "strategy", "queries", "best"]
    write_table(RESULTS / "search_curves.csv", head, curves(rows))
