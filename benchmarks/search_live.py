"""Searches on live measurements: python benchmarks/search_live.py --runs 10.

NAS-Bench-201 on ONNX Runtime's CPU provider, accuracies from the published table, a latency limit
that is a share of what the all-3x3 cell takes on this machine. What a search reports met the limit
when it was measured a second time; here every reported network is measured a third time, apart from
the search, and that has to be inside as well. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns

from search_methods import DATA
from search_results import RESULTS, write_table
from tabulate import tabulate

import nasprof
from nasprof.spaces.nasbench201 import OPS
from nasprof.spaces.nasbench201 import PLUGIN as SPACE

TARGET = "onnxruntime-cpu"
KEY = f"latency@{TARGET}"
SIGNAL = "in16_single_200"
SHARES = (0.3, 0.45, 0.6, 0.75)
REFERENCE = (OPS.index("nor_conv_3x3"),) * 6
HEAD = ("run", "limit ms", "measured", "reported", "accuracy", "second", "third", "seconds")


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What one search reported.

    Unit: ms; `second` and `third` have one entry a reported network.
    """

    limit_ms: float
    measured: int
    accuracy: float
    second: tuple[float, ...]
    third: tuple[float, ...]
    seconds: float

    def row(self, number: int) -> list[object]:
        """One line of the table."""
        inside = [sum(value <= self.limit_ms for value in values) for values in self._both]
        count = len(self.second)
        return [
            number,
            f"{self.limit_ms:.3f}",
            self.measured,
            count,
            f"{self.accuracy:.2%}",
            f"{inside[0]} of {count} inside",
            f"{inside[1]} of {count} inside",
            f"{self.seconds:.0f}",
        ]

    @property
    def held(self) -> tuple[bool, bool]:
        """Whether something was reported, and all of it was inside: second and third time."""
        inside = [bool(v) and max(v) <= self.limit_ms for v in self._both]
        return inside[0], inside[1]

    @property
    def _both(self) -> Sequence[tuple[float, ...]]:
        return self.second, self.third


def run(data: Path, limit_ms: float, queries: int, seed: int, store: Path) -> LiveRun:
    """Search, then measure what was reported a third time."""
    start = perf_counter_ns()
    found = nasprof.search(
        "nasbench201",
        accuracy=f"table:{data / 'nasbench201.csv.gz'}:{SIGNAL}",
        limits=[f"{KEY}<={limit_ms}ms"],
        queries=queries,
        seed=seed,
        store=store,
    )
    seconds = (perf_counter_ns() - start) / 1e9
    second = tuple((trial.metrics[KEY] or 0.0) / 1e6 for trial in found.pareto)
    numbers = [SPACE.index_of(trial.candidate.genes) for trial in found.pareto]
    third = tuple(measure_ms(number, seed + 1000, store) for number in numbers)
    measured = sum(trial.session is not None for trial in found.trials)
    best = max((trial.accuracy or 0.0 for trial in found.pareto), default=0.0)
    return LiveRun(limit_ms, measured, best, second, third, seconds)


def measure_ms(index: int, seed: int, store: Path) -> float:
    """The median latency of a cell, measured with the full plan."""
    measured = nasprof.bench(f"nasbench201:{index}", TARGET, seed=seed, store=store)
    return measured.latency.median_ns / 1e6


def main() -> None:
    """Print every run, and in how many all that was reported was inside."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    runs: list[LiveRun] = []
    with TemporaryDirectory() as folder:
        reference = measure_ms(SPACE.index_of(REFERENCE), 0, Path(folder) / "reference.db")
        print(f"all-3x3 cell: {reference:.3f} ms", flush=True)
        for number in range(options.first, options.first + options.runs):
            # A store of its own for each: nothing is known from an earlier search.
            limit_ms = round(SHARES[number % len(SHARES)] * reference, 3)
            store = Path(folder) / f"{number}.db"
            runs.append(run(options.data, limit_ms, options.queries, number, store))
            print(tabulate([runs[-1].row(number)], HEAD, tablefmt="plain"), flush=True)
    rows = [one.row(options.first + i) for i, one in enumerate(runs)]
    print(tabulate(rows, HEAD))
    for name, place in (("second", 0), ("third", 1)):
        print(f"all reported inside, {name} measurement: "
              f"{sum(one.held[place] for one in runs)} of {len(runs)} runs")  # fmt: skip
    write_table(RESULTS / "search_live.csv", HEAD, rows)


if __name__ == "__main__":
    main()
