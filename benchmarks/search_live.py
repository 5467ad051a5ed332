"""Searches on live measurements: python benchmarks/search_live.py [--runs 10] [--seconds 280].

NAS-Bench-201 on ONNX Runtime's CPU provider, accuracies from the published table, a latency limit
that is a share of what the all-3x3 cell takes on this machine. What a search reports met the limit
when it was measured a second time; here every reported network is measured a third time, apart from
the search, and that has to be inside as well. Run it on a quiet machine. Every run is kept in
results/search_live.runs.csv when it ends; a benchmark that was stopped goes on, and --seconds ends
it where the next run would take longer. Exit code 1 when a reported network was outside.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from search_methods import DATA
from search_results import RESULTS, Row, Runs, write_table
from tabulate import tabulate

import nasprof
from nasprof.spaces.nasbench201 import OPS
from nasprof.spaces.nasbench201 import PLUGIN as SPACE

TARGET = "onnxruntime-cpu"
KEY = f"latency@{TARGET}"
SIGNAL = "in16_single_200"
SHARES = (0.3, 0.45, 0.6, 0.75)
REFERENCE = (OPS.index("nor_conv_3x3"),) * 6
RUNS = Runs(
    RESULTS / "search_live.runs.csv",
    ("run",),
    ("limit_ms", "measured", "accuracy", "second_ms", "third_ms", "seconds"),
)
"""`second_ms` and `third_ms` have one entry a reported network."""
HEAD = ("run", "limit ms", "measured", "reported", "accuracy", "second", "third", "seconds")


def run(data: Path, reference_ms: float, queries: int, seed: int) -> Sequence[object]:
    """Search in a store of its own, then measure what was reported a third time."""
    limit_ms = round(SHARES[seed % len(SHARES)] * reference_ms, 3)
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        store = Path(folder) / "search.db"
        found = nasprof.search(
            "nasbench201",
            accuracy=f"table:{data / 'nasbench201.csv.gz'}:{SIGNAL}",
            limits=[f"{KEY}<={limit_ms}ms"],
            queries=queries,
            seed=seed,
            store=store,
        )
        seconds = time.perf_counter() - start
        second = [(trial.metrics[KEY] or 0.0) / 1e6 for trial in found.pareto]
        numbers = [SPACE.index_of(trial.candidate.genes) for trial in found.pareto]
        third = [measure_ms(number, seed + 1000, store) for number in numbers]
    measured = sum(trial.session is not None for trial in found.trials)
    best = max((trial.accuracy or 0.0 for trial in found.pareto), default=0.0)
    texts = (" ".join(f"{value:.4f}" for value in values) for values in (second, third))
    return limit_ms, measured, f"{best:.4f}", *texts, f"{seconds:.0f}"


def measure_ms(index: int, seed: int, store: Path) -> float:
    """The median latency of a cell, measured with the full plan."""
    measured = nasprof.bench(f"nasbench201:{index}", TARGET, seed=seed, store=store)
    return measured.latency.median_ns / 1e6


def shown(row: Row) -> Sequence[object]:
    """One line of the table."""
    both, limit_ms = _both(row), float(row["limit_ms"])
    inside = [f"{sum(v <= limit_ms for v in some)} of {len(some)} inside" for some in both]
    return (
        row["run"], row["limit_ms"], row["measured"], len(both[0]), f"{float(row['accuracy']):.2%}",
        *inside, row["seconds"],
    )  # fmt: skip


def held(row: Row) -> tuple[bool, bool]:
    """Whether something was reported, and all of it was inside: second and third time."""
    second, third = (bool(v) and max(v) <= float(row["limit_ms"]) for v in _both(row))
    return second, third


def _both(row: Row) -> list[list[float]]:
    return [[float(text) for text in row[name].split()] for name in ("second_ms", "third_ms")]


def report() -> int:
    """Print and keep every run, and in how many all that was reported was inside."""
    rows = sorted(RUNS.rows(), key=lambda row: int(row["run"]))
    lines = [shown(row) for row in rows]
    print(tabulate(lines, HEAD))
    for name, place in (("second", 0), ("third", 1)):
        print(f"all reported inside, {name} measurement: "
              f"{sum(held(row)[place] for row in rows)} of {len(rows)} runs")  # fmt: skip
    write_table(RESULTS / "search_live.csv", HEAD, lines)
    return int(not all(all(held(row)) for row in rows))


def _until(count: int, end: float) -> Iterator[tuple[int]]:
    """Runs to make; one is begun only where it should end in time."""
    for number in range(count):
        rows = RUNS.rows()
        took = max((float(row["seconds"]) for row in rows), default=0.0)
        if str(number) in {row["run"] for row in rows}:
            continue
        if time.monotonic() + 1.3 * took >= end:  # the third measurement is not in it
            return
        yield (number,)


def main() -> int:
    """Make the runs that are missing and report all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    with TemporaryDirectory() as folder:
        reference_ms = measure_ms(SPACE.index_of(REFERENCE), 0, Path(folder) / "reference.db")
    print(f"all-3x3 cell: {reference_ms:.3f} ms", flush=True)
    RUNS.do(
        _until(options.runs, end),
        lambda number: run(options.data, reference_ms, options.queries, number),
    )
    return report()


if __name__ == "__main__":
    sys.exit(main())
