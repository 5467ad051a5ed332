"""Accuracy of NAS-Bench-201 under a latency limit, on 21 targets.

Accuracy of one ImageNet16-120 run, limits at four percentiles of each target's latencies, 100
accuracy queries. Ours may measure 20 cells and knows the latencies of all cells on devices of other
families (never another batch size of the same card, never the same board). The baselines may
measure every cell they meet, and one outside the limit costs them no query. Regret is the best
accuracy inside the true limit less that of the network reported, in points. A run that reports no
network counts with `MISSED` points, one that reports a network outside is counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from time import process_time_ns

import numpy as np
from search_methods import METHODS, OURS, Cells, cells_with_path
from search_queries import column
from search_results import RESULTS, Row, Runs, write_table
from tabulate import tabulate

from nasprof.search.cost_features import Elsewhere
from nasprof.search.finalists import confirm, front, reported
from nasprof.search.problem import SearchProblem
from nasprof.search.trials import Measured, explore
from nasprof.spaces._space import Genes
from nasprof.spaces.nasbench201 import PLUGIN as NASBENCH201
from nasprof.tables._read import read_table
from profiler.core.choice import Candidate, Constraint

SIGNAL = "in16_single_200"
PERCENTILES = (10, 25, 50, 75)
CARDS = ("1080ti", "2080ti", "titanx", "titanxp")
MISSED = 10.0
QUERIES, MEASUREMENTS = 100, 20
SKIPPED = ("WeakNAS, MLP 4 x 256",)
RUNS = Runs(
    RESULTS / "search_limited.runs.csv",
    ("target", "percentile", "strategy", "seed"),
    ("regret", "inside", "measured", "seconds"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """Latencies of a device for all cells by index, and those of devices of other families."""

    name: str
    latency: np.ndarray
    elsewhere: Elsewhere
    space: Cells

    def limit_ms(self, percentile: int) -> float:
        """A percentile of the latencies of the space's cells."""
        indices = [self.space.index_of(genes) for genes in self.space.members()]
        return float(np.percentile(self.latency[indices], percentile))


@cache
def targets(data: Path) -> dict[str, Target]:
    """The devices of the hardware table, and both runtimes of the Pi 5.

    On the Pi 5 one of each group of equal cells was measured, and the table repeats its numbers for
    the others: there only the measured cells are searched.
    """
    table = read_table(data / "hardware" / "nasbench201_latency_ms.parquet")
    rows = [NASBENCH201.index_of(NASBENCH201.parse(text)) for text in table.values("arch")]
    found: dict[str, np.ndarray] = {}
    for name in table.names:
        if name != "arch":
            found[name] = np.empty(len(rows))
            found[name][rows] = table.numbers(name)
    board = np.load(data / "nasbench201_pi5_runtime.npz")
    for label, values in zip(board["combo"], board["latency_ms"], strict=True):
        found[f"pi5_{str(label).split('/')[1]}"] = values.astype(np.float64)
    measured = tuple(np.unique(board["representative"]).tolist())
    return {name: _target(name, found, measured) for name in found}


def family(name: str) -> str:
    """Targets of one family share a card or a board."""
    head = name.partition("_")[0]
    return head if head in (*CARDS, "pi5") else name


def _target(name: str, found: dict[str, np.ndarray], measured: tuple[int, ...]) -> Target:
    others = [values for other, values in found.items() if family(other) != family(name)]
    stacked = np.stack(others, axis=1)

    def elsewhere(candidates: list[Genes]) -> np.ndarray:
        return stacked[[NASBENCH201.index_of(genes) for genes in candidates]]

    space = cells_with_path(measured if family(name) == "pi5" else None)
    return Target(name, found[name], elsewhere, space)


def wanted(
    data: Path, methods: list[str], seeds: int, only: list[str] | None
) -> Iterator[tuple[str, int, str, int]]:
    """The runs to make: a seed everywhere, then the next, so that few seeds are a fair sample."""
    chosen = [name for name in targets(data) if not only or name in only]
    for seed in range(seeds):
        for target, percentile, method in product(chosen, PERCENTILES, methods):
            if method not in SKIPPED:
                yield target, percentile, method, seed


def run(data: Path, name: str, percentile: int, method: str, seed: int) -> list[object]:
    """Search inside a limit and report one network; seconds are of one processor."""
    target, scores = targets(data)[name], column(data, SIGNAL)
    limit_ms = target.limit_ms(percentile)
    measured: list[int] = []

    def measure(candidate: Candidate, *, again: bool) -> Measured:
        measured.append(NASBENCH201.index_of(candidate.genes))
        return Measured({"latency@table": float(target.latency[measured[-1]]) * 1e6}, "table")

    def evaluate(candidate: Candidate) -> float:
        return float(scores[NASBENCH201.index_of(candidate.genes)]) / 100

    limits = (Constraint("latency", "table", limit_ms * 1e6),)
    problem = SearchProblem(
        target.space, limits, "", queries=QUERIES, trials=4000, seed=seed, finalists=1
    )
    if method == OURS:
        problem = replace(problem, measurements=MEASUREMENTS, elsewhere=target.elsewhere)
    start = process_time_ns()
    trials = explore(
        problem,
        METHODS[method],
        measure=measure,
        evaluate=evaluate,
        on_trial=lambda trial: None,
    )
    if problem.measurements is None:
        best = front(problem, trials)
    else:
        best = reported(problem, confirm(problem, trials, measure))
        assert len(measured) <= MEASUREMENTS
    seconds = f"{(process_time_ns() - start) / 1e9:.2f}"
    if not best:
        return [MISSED, 0, len(measured), seconds]
    index = NASBENCH201.index_of(best[0].candidate.genes)
    inside = bool(target.latency[index] <= limit_ms)
    cells = np.array([NASBENCH201.index_of(genes) for genes in target.space.members()])
    oracle = scores[cells[target.latency[cells] <= limit_ms]].max()
    return [f"{oracle - scores[index]:.3f}", int(inside), len(measured), seconds]


HEAD = (
    "strategy",
    "seeds",
    "runs",
    "regret",
    "error",
    "worst target",
    "inside",
    "measured",
    "s a run",
)


def summary(rows: list[Row]) -> list[list[object]]:
    """A line a strategy, over all targets and limits."""
    return [
        [method, *_figures(found)]
        for method in METHODS
        if (found := [row for row in rows if row["strategy"] == method])
    ]


def _figures(rows: list[Row]) -> list[object]:
    regrets = np.array([float(row["regret"]) for row in rows])
    names = np.array([row["target"] for row in rows])
    worst = max(regrets[names == name].mean() for name in np.unique(names))
    return [
        len({row["seed"] for row in rows}),
        len(rows),
        f"{regrets.mean():.3f}",
        f"{regrets.std() / len(regrets) ** 0.5:.3f}",
        f"{worst:.2f}",
        f"{np.mean([float(row['inside']) for row in rows]):.3f}",
        f"{np.mean([float(row['measured']) for row in rows]):.1f}",
        f"{np.mean([float(row['seconds']) for row in rows]):.2f}",
    ]


def by_target(rows: list[Row]) -> list[list[object]]:
    """Mean regret of every strategy for every target and limit, and the runs inside."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["target"], row["percentile"], row["strategy"]), []).append(row)
    return [
        [
            *key,
            len(found),
            f"{np.mean([float(row['regret']) for row in found]):.3f}",
            f"{np.mean([float(row['inside']) for row in found]):.3f}",
        ]
        for key, found in groups.items()
    ]


def finished(rows: list[Row]) -> list[Row]:
    """The runs of seeds that a strategy has finished on every target and limit, so far as any has.

    Means over targets that have different numbers of seeds would say more of some than of others.
    """
    cells = {(row["target"], row["percentile"]) for row in rows}
    made = Counter((row["strategy"], row["seed"]) for row in rows)
    return [row for row in rows if made[row["strategy"], row["seed"]] == len(cells)]


def report() -> None:
    """Print and write what the runs amount to."""
    rows = finished(RUNS.rows())
    lines = summary(rows)
    print(f"\nRegret in points inside a latency limit, {QUERIES} accuracy queries")
    print(tabulate(lines, HEAD), flush=True)
    write_table(RESULTS / "search_limited.csv", HEAD, lines)
    head = ["target", "percentile", "strategy", "runs", "regret", "inside"]
    write_table(RESULTS / "search_limited_by_target.csv", head, by_target(rows))
