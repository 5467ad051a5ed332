"""Queries to the best cell of NAS-Bench-201: python benchmarks/search_table.py --seeds 20.

Every strategy on a clean signal (CIFAR-10, mean over runs) and a noisy one (ImageNet16-120, one
run), in the space as numbered (15,625 cells) and with equal cells taken as one (6,466). A run that
has not found the best cell within the cap counts as the cap. `--mlp-seeds` are the runs of the slow
WeakNAS with its published network.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import numpy as np
from tabulate import tabulate

from nasprof.predict._threads import one_thread
from nasprof.search.problem import SearchProblem
from nasprof.search.strategies._strategy import Strategy
from nasprof.search.strategies.evolution import Evolution
from nasprof.search.strategies.local_search import LocalSearch
from nasprof.search.strategies.random import RandomSearch
from nasprof.search.strategies.rank_ei import RankEi
from nasprof.search.strategies.weaknas import WeakNas
from nasprof.search.trials import Measured, explore
from nasprof.spaces._space import Genes
from nasprof.spaces.nasbench201 import NasBench201
from nasprof.tables._read import read_table
from profiler.core.choice import Candidate

DATA = Path(__file__).parents[1].parent / "shared" / "data"
SIGNALS = ("c10_valid_200", "in16_single_200")
TEST = {"c10_valid_200": "c10_test_200"}
AFTER = (50, 100, 200)


@dataclass(frozen=True, slots=True)
class AsNumbered(NasBench201):
    """The space without knowing that some of its cells are equal."""

    def canonical(self, genes: Genes) -> Genes:
        """Every cell stands for itself."""
        return genes

    def canonical_rows(self, rows: np.ndarray) -> np.ndarray:
        """Every cell stands for itself."""
        return rows


METHODS: dict[str, Strategy] = {
    "random": RandomSearch(),
    "evolution 50/10": Evolution(population=50, tournament=10),
    "evolution 20/5": Evolution(),
    "local search": LocalSearch(),
    "WeakNAS, ridge pairs": WeakNas(predictor="ridge-pairs"),
    "WeakNAS, MLP 4 x 256": WeakNas(),
    "rank-ei (ours)": RankEi(),
}


class Found(BaseException):
    """Ends a run at the best cell."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: queries until the best cell, and the test accuracy of the best-scored cell."""

    queries: int
    found: bool
    test: tuple[float, ...]
    seconds: float


def run(
    strategy: Strategy,
    space: NasBench201,
    scores: np.ndarray,
    test: np.ndarray,
    seed: int,
    cap: int,
) -> Run:
    """Search the table until its best cell or the cap."""
    best, seen = int(np.argmax(scores)), list[int]()

    def evaluate(candidate: Candidate) -> float:
        seen.append(space.index_of(candidate.genes))
        if seen[-1] == best:
            raise Found
        return float(scores[seen[-1]]) / 100

    start, found = perf_counter_ns(), False
    try:
        explore(
            SearchProblem(space, (), "", queries=cap, seed=seed),
            strategy,
            measure=lambda candidate, again: Measured({}),
            evaluate=evaluate,
            on_trial=lambda trial: None,
        )
    except Found:
        found = True
    chosen = [max(seen[:n], key=lambda index: scores[index]) for n in AFTER]
    took = (perf_counter_ns() - start) / 1e9
    return Run(len(seen) if found else cap, found, tuple(test[i] for i in chosen), took)


def row(name: str, space: str, runs: list[Run], has_test: bool) -> list[str]:
    """One line of the table."""
    queries = np.array([one.queries for one in runs])
    test = np.mean([one.test for one in runs], axis=0)
    error = queries.std(ddof=1) / len(queries) ** 0.5 if len(queries) > 1 else 0.0
    return [
        name,
        space,
        str(len(runs)),
        f"{queries.mean():.1f} +- {error:.1f}",
        f"{np.median(queries):.0f}",
        f"{np.mean([one.found for one in runs]):.0%}",
        " / ".join(f"{value:.2f}" for value in test) if has_test else "",
        f"{np.mean([one.seconds for one in runs]):.2f}",
    ]


def main() -> None:
    """Print one table for each signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--mlp-seeds", type=int, default=5)
    parser.add_argument("--cap", type=int, default=500)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--signals", nargs="*", default=list(SIGNALS), choices=SIGNALS)
    options = parser.parse_args()
    table = read_table(options.data / "nasbench201.csv.gz")
    spaces: dict[str, Callable[[], NasBench201]] = {
        "as numbered": AsNumbered,
        "equal as one": NasBench201,
    }
    head = ["strategy", "space", "runs", "queries", "median", "found", "test@50/100/200", "s a run"]
    for signal in options.signals:
        scores = table.numbers(signal)
        test = table.numbers(TEST.get(signal, signal))
        lines = []
        for name in options.only:
            seeds = options.mlp_seeds if "MLP" in name else options.seeds
            for label, make in spaces.items():
                space = make()
                runs = [
                    run(METHODS[name], space, scores, test, seed, options.cap)
                    for seed in range(seeds)
                ]
                lines.append(row(name, label, runs, signal in TEST))
        print(f"\n{signal}: queries to the best cell, cap {options.cap}")
        print(tabulate(lines, head), flush=True)


if __name__ == "__main__":
    with one_thread():
        main()
