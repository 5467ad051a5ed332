"""Accuracy under a latency limit on 21 targets: python benchmarks/search_limited.py --seeds 3.

NAS-Bench-201, accuracy of one ImageNet16-120 run, limits at four percentiles of each target's
latencies, 100 accuracy queries. Ours may measure 20 cells and knows the latencies of all cells on
devices of other families (never another batch size of the same card, never the same board). The
baselines may measure every cell they meet, and one outside the limit costs them no query. Regret is
the best accuracy inside the true limit less that of the network reported, in points; a run that
reports nothing, or a network outside, counts as `--missed` points.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from time import perf_counter_ns

import numpy as np
from search_table import DATA, AsNumbered
from tabulate import tabulate

from nasprof.predict._threads import one_thread
from nasprof.search.finalists import confirm, front, reported
from nasprof.search.problem import SearchProblem
from nasprof.search.strategies._strategy import Strategy
from nasprof.search.strategies.evolution import Evolution
from nasprof.search.strategies.local_search import LocalSearch
from nasprof.search.strategies.random import RandomSearch
from nasprof.search.strategies.rank_ei import RankEi
from nasprof.search.strategies.weaknas import WeakNas
from nasprof.search.trials import Measured, explore
from nasprof.spaces._space import Genes
from nasprof.spaces.nasbench201 import NONE
from nasprof.spaces.nasbench201 import PLUGIN as NASBENCH201
from nasprof.tables._read import read_table
from profiler.core.choice import Candidate, Constraint

SIGNAL = "in16_single_200"
PERCENTILES = (10, 25, 50, 75)
CARDS = ("1080ti", "2080ti", "titanx", "titanxp")


@dataclass(frozen=True, slots=True)
class Cells(AsNumbered):
    """Every cell on its own, because the table has a latency and an accuracy for each.

    The 341 cells without a path from input to output are left out: they are no networks, and some
    tables hold arbitrary latencies for them.
    """

    def valid(self, genes: Genes) -> bool:
        """Whether a path without `none` leads from input to output."""
        return any(all(genes[edge] != NONE for edge in path) for path in _PATHS)

    def members(self) -> Sequence[Genes]:
        """The cells with a path, in index order."""
        return _members()


@cache
def _members() -> tuple[Genes, ...]:
    return tuple(genes for genes in NASBENCH201.members() if SPACE.valid(genes))


SPACE = Cells()
_PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))
"""The edges of each path from input to output."""
METHODS: dict[str, Strategy] = {
    "random": RandomSearch(),
    "evolution 50/10": Evolution(population=50, tournament=10),
    "evolution 20/5": Evolution(),
    "local search": LocalSearch(),
    "WeakNAS, ridge pairs": WeakNas(predictor="ridge-pairs"),
    "rank-ei, all measured": RankEi(),
    "rank-ei, 20 measured": RankEi(),
}


@dataclass(frozen=True, slots=True)
class Target:
    """A target with its latency of every cell in ms, and those of targets of other families."""

    name: str
    latency: np.ndarray
    others: np.ndarray

    def elsewhere(self, candidates: Sequence[Genes]) -> np.ndarray:
        """Latencies of cells on the other targets."""
        return self.others[[SPACE.index_of(genes) for genes in candidates]]


@dataclass(slots=True)
class Run:
    """One search: what it reported, and what it spent."""

    regret: float
    inside: bool
    measured: int
    seconds: float


def targets(data: Path) -> list[Target]:
    """The devices of the hardware table, and both runtimes of the Pi 5."""
    table = read_table(data / "hardware" / "nasbench201_latency_ms.parquet")
    rows = [SPACE.index_of(SPACE.parse(text)) for text in table.values("arch")]
    found: dict[str, np.ndarray] = {}
    for name in table.names:
        if name != "arch":
            found[name] = np.empty(len(rows))
            found[name][rows] = table.numbers(name)
    board = np.load(data / "nasbench201_pi5_runtime.npz")
    for label, values in zip(board["combo"], board["latency_ms"], strict=True):
        found[f"pi5_{str(label).split('/')[1]}"] = values.astype(np.float64)
    return [_target(name, found) for name in found]


def family(name: str) -> str:
    """Targets of one family share a card or a board."""
    head = name.partition("_")[0]
    return head if head in (*CARDS, "pi5") else name


def _target(name: str, found: dict[str, np.ndarray]) -> Target:
    others = [values for other, values in found.items() if family(other) != family(name)]
    return Target(name, found[name], np.stack(others, axis=1))


def search(
    method: str, target: Target, scores: np.ndarray, limit_ms: float, seed: int, missed: float
) -> Run:
    """Search inside a limit and report one network."""
    measured: list[int] = []

    def measure(candidate: Candidate, *, again: bool) -> Measured:
        measured.append(SPACE.index_of(candidate.genes))
        return Measured({"latency@table": float(target.latency[measured[-1]]) * 1e6}, "table")

    def evaluate(candidate: Candidate) -> float:
        return float(scores[SPACE.index_of(candidate.genes)]) / 100

    limits = (Constraint("latency", "table", limit_ms * 1e6),)
    problem = SearchProblem(SPACE, limits, "", queries=100, trials=4000, seed=seed, finalists=1)
    if method.endswith("20 measured"):
        problem = replace(problem, measurements=20, elsewhere=target.elsewhere)
    start = perf_counter_ns()
    ignore: Callable[[object], None] = lambda trial: None  # noqa: E731
    trials = explore(problem, METHODS[method], measure=measure, evaluate=evaluate, on_trial=ignore)
    if problem.measurements is None:
        best = front(problem, trials)
    else:
        best = reported(problem, confirm(problem, trials, measure))
    seconds = (perf_counter_ns() - start) / 1e9
    oracle = scores[target.latency <= limit_ms].max()
    if not best:
        return Run(missed, False, len(measured), seconds)
    index = SPACE.index_of(best[0].candidate.genes)
    inside = bool(target.latency[index] <= limit_ms)
    return Run(oracle - scores[index] if inside else missed, inside, len(measured), seconds)


def main() -> None:
    """Print the regret of every method on every target, then over all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--missed", type=float, default=10.0)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--targets", nargs="*", default=None)
    options = parser.parse_args()
    scores = read_table(options.data / "nasbench201.csv.gz").numbers(SIGNAL)
    chosen = [t for t in targets(options.data) if not options.targets or t.name in options.targets]
    alive = [SPACE.index_of(genes) for genes in SPACE.members()]
    runs: dict[str, dict[str, list[Run]]] = {method: {} for method in options.only}
    for target in chosen:
        for method in options.only:
            runs[method][target.name] = [
                search(method, target, scores, limit, seed, options.missed)
                for limit in np.percentile(target.latency[alive], PERCENTILES)
                for seed in range(options.seeds)
            ]
        line = (f"{m} {np.mean([r.regret for r in runs[m][target.name]]):.2f}" for m in runs)
        print(f"{target.name}: {', '.join(line)}", flush=True)
    print(tabulate([_row(method, runs[method]) for method in runs], _HEAD))


_HEAD = ["strategy", "runs", "regret", "worst target", "inside", "measured", "s a run"]


def _row(method: str, by_target: dict[str, list[Run]]) -> list[str]:
    every = [run for found in by_target.values() for run in found]
    worst = max(np.mean([run.regret for run in found]) for found in by_target.values())
    regrets = np.array([run.regret for run in every])
    return [
        method,
        str(len(every)),
        f"{regrets.mean():.3f} +- {regrets.std() / len(regrets) ** 0.5:.3f}",
        f"{worst:.2f}",
        f"{np.mean([run.inside for run in every]):.1%}",
        f"{np.mean([run.measured for run in every]):.1f}",
        f"{np.mean([run.seconds for run in every]):.2f}",
    ]


if __name__ == "__main__":
    with one_thread():
        main()
