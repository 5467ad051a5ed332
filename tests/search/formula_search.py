"""A NAS-Bench-201 search whose accuracies and latencies are formulas, with faults on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nasprof.predict.ncp import Training
from nasprof.search.constraints import parse_constraints
from nasprof.search.following import Following
from nasprof.search.problem import SearchProblem
from nasprof.search.propagation import climb, propagate
from nasprof.search.strategies._strategy import Strategy
from nasprof.search.strategies.weaknas import WeakNas
from nasprof.search.trials import Measured, explore
from nasprof.spaces._space import Genes
from nasprof.spaces.nasbench201 import PLUGIN as SPACE
from profiler.core.choice import Candidate
from profiler.core.plugins import load
from profiler.store.records import TrialRecord, TrialState

# Milliseconds and worth of none, skip, 1x1, 3x3, pool on an edge.
_COST = (0.0, 0.05, 0.3, 1.0, 0.4)
_WORTH = (0.0, 0.06, 0.10, 0.15, 0.02)

# Strategies with networks, made to fit in milliseconds.
QUICK: dict[str, Strategy] = {
    "weaknas": WeakNas(predictor="ridge-pairs"),
    "ncp": Following("ncp", propagate, training=Training(epochs=15)),
    "ncp-wta": Following("ncp-wta", climb, training=Training(epochs=15)),
}
KEY = "latency@formula"


def latency_ns(genes: Genes) -> float:
    """The sum of the costs of the canonical cell's operations."""
    return 1e6 * (0.5 + sum(_COST[gene] for gene in SPACE.canonical(genes)))


def accuracy(genes: Genes) -> float:
    """The sum of worths, less a little where the first and the last operation are the same."""
    form = SPACE.canonical(genes)
    return 0.05 + sum(_WORTH[gene] for gene in form) - 0.04 * (form[0] == form[5])


class Killed(BaseException):
    """Stands for a process that ends here."""


@dataclass
class Machine:
    """Measures and evaluates by formula, fails or dies on demand; `kept` is as in a store."""

    die_after: int | None = None
    fails: Callable[[Genes], bool] = lambda genes: False
    again_factor: Callable[[Genes], float] = lambda genes: 1.0
    measured: list[Genes] = field(default_factory=list)
    evaluated: list[Genes] = field(default_factory=list)
    measured_again: list[Genes] = field(default_factory=list)
    kept: list[TrialRecord] = field(default_factory=list)

    def measure(self, candidate: Candidate, *, again: bool) -> Measured:
        genes = candidate.genes
        if again:
            self.measured_again.append(genes)
            value = latency_ns(genes) * self.again_factor(genes)
            return Measured({KEY: value}, session=f"again-{len(self.measured_again)}")
        if self.die_after is not None and len(self.measured) >= self.die_after:
            raise Killed
        self.measured.append(genes)
        if self.fails(genes):
            raise RuntimeError("the export failed")
        return Measured({KEY: latency_ns(genes)}, session=f"s{len(self.measured)}")

    def evaluate(self, candidate: Candidate) -> float:
        self.evaluated.append(candidate.genes)
        return accuracy(candidate.genes)

    def keep(self, trial: TrialRecord) -> None:
        if trial.state is not TrialState.PROPOSED:
            self.kept.append(trial)


def make_problem(strategy: str, limit_ms: float | None = 3.0, **settings: int) -> SearchProblem:
    limits = () if limit_ms is None else parse_constraints([f"{KEY}<={limit_ms}ms"])
    return SearchProblem(SPACE, limits, strategy, **settings)


def strategy_of(problem: SearchProblem) -> Strategy:
    """The problem's strategy; one with networks in its quick form."""
    found: Strategy = QUICK.get(problem.strategy) or load(
        "nasprof.search.strategies", problem.strategy
    )
    return found


def run(
    problem: SearchProblem, machine: Machine, done: Sequence[TrialRecord] = ()
) -> list[TrialRecord]:
    return explore(
        problem,
        strategy_of(problem),
        measure=machine.measure,
        evaluate=machine.evaluate,
        done=done,
        on_trial=machine.keep,
    )
