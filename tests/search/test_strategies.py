from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from formula_search import SPACE, Killed, Machine, accuracy, latency_ns, make_problem, run

from nasprof.evaluate._evaluator import open_evaluator
from nasprof.search.constraints import parse_constraints
from nasprof.search.problem import SearchProblem, is_inside
from nasprof.search.strategies.weaknas import WeakNas
from nasprof.search.trials import Measured, explore
from nasprof.spaces._space import Genes
from nasprof.spaces.nasbench201 import NasBench201
from profiler.core.choice import Candidate
from profiler.core.plugins import load, names
from profiler.store.records import TrialRecord

TABLE = Path(__file__).parents[2].parent / "shared" / "data" / "nasbench201.csv.gz"
needs_table = pytest.mark.skipif(not TABLE.exists(), reason=f"{TABLE.name} is not here")
STRATEGIES = names("nasprof.search.strategies")


def _proposed(trials: list[TrialRecord]) -> list[Candidate]:
    return [trial.candidate for trial in trials]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_search_killed_at_any_trial_goes_on_as_if_it_had_not_been(strategy: str) -> None:
    problem = make_problem(strategy, queries=12, initial=6, seed=3)
    undisturbed = _proposed(run(problem, Machine()))
    assert len(undisturbed) > 12
    for kill in range(len(undisturbed)):
        first, second = Machine(die_after=kill), Machine()
        with pytest.raises(Killed):
            run(problem, first)
        assert len(first.kept) == kill
        assert _proposed(run(problem, second, first.kept)) == undisturbed
        assert first.measured + second.measured == [one.genes for one in undisturbed]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_seeds_decide_and_nothing_is_tried_twice(strategy: str) -> None:
    one, same, other = (
        _proposed(run(make_problem(strategy, queries=25, seed=seed), Machine()))
        for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other
    forms = {SPACE.canonical(candidate.genes) for candidate in one}
    assert len(forms) == len(one)


# A front of two objectives is no race to one end of it: NSGA-II has a test of its own.
@pytest.mark.parametrize("strategy", [s for s in STRATEGIES if s not in ("random", "nsga2")])
def test_informed_strategies_beat_random_inside_the_limit(strategy: str) -> None:
    def best(name: str) -> float:
        found = []
        for seed in range(4):
            problem = make_problem(name, limit_ms=2.5, queries=30, seed=seed)
            trials = [t for t in run(problem, Machine()) if is_inside(problem, t)]
            found.append(max(trial.accuracy or 0.0 for trial in trials))
        return float(np.mean(found))

    assert best(strategy) > best("random")


@dataclass(frozen=True)
class FewCells(NasBench201):
    """A space of 25 cells that differ on two edges."""

    def members(self) -> Sequence[Genes]:
        return [(a, b, 3, 1, 2, 3) for a in range(5) for b in range(5)]

    def valid(self, genes: Genes) -> bool:
        return genes[2:] == (3, 1, 2, 3)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_search_ends_when_a_small_space_is_used_up(strategy: str) -> None:
    problem = SearchProblem(FewCells(), (), strategy, queries=100, initial=4)
    trials = run(problem, Machine())
    assert {trial.candidate.genes for trial in trials} <= set(FewCells().members())
    assert len(trials) == len({SPACE.canonical(genes) for genes in FewCells().members()})


def test_weaknas_learns_which_candidates_are_outside() -> None:
    problem = make_problem("weaknas", limit_ms=1.6, queries=40, seed=0)
    share_inside = np.mean([latency_ns(genes) <= 1.6e6 for genes in SPACE.members()])
    trials = run(problem, Machine())[20:]
    assert np.mean([is_inside(problem, trial) for trial in trials]) > 1.5 * share_inside


def test_infeasible_trials_cost_no_accuracy_query() -> None:
    machine = Machine()
    problem = make_problem("random", limit_ms=2.0, queries=10, seed=0)
    trials = run(problem, machine)
    outside = [trial for trial in trials if not is_inside(problem, trial)]
    assert outside
    assert all(trial.accuracy is None for trial in outside)
    assert len(machine.evaluated) == 10
    assert all(accuracy(genes) and latency_ns(genes) <= 2e6 for genes in machine.evaluated)


@needs_table
@pytest.mark.parametrize("column", ["c10_valid_200", "in16_single_200"])
def test_weaknas_beats_random_on_the_published_table(column: str) -> None:
    look_up = open_evaluator(f"table:{TABLE}:{column}", SPACE, 0)

    def best(strategy: str) -> float:
        found = []
        for seed in range(6):
            problem = SearchProblem(SPACE, (), strategy, queries=60, seed=seed)
            chosen = (
                WeakNas(predictor="ridge-pairs")
                if strategy == "weaknas"
                else load("nasprof.search.strategies", strategy)
            )
            trials = explore(
                problem,
                chosen,
                measure=lambda candidate, again: Measured({}),
                evaluate=lambda candidate: look_up(candidate.genes),
                on_trial=lambda trial: None,
            )
            found.append(max(trial.accuracy or 0.0 for trial in trials))
        return float(np.mean(found))

    assert best("weaknas") > best("random") + 0.001


@needs_table
def test_limits_on_the_published_table_are_kept() -> None:
    with gzip.open(TABLE, "rt") as file:
        head = file.readline().strip().split(",")
        macs = [float(line.split(",")[head.index("macs_c10")]) for line in file]
    limited = SearchProblem(SPACE, parse_constraints(["macs<=60M"]), "weaknas", queries=30)
    look_up = open_evaluator(f"table:{TABLE}:c10_valid_200", SPACE, 0)
    trials = explore(
        limited,
        WeakNas(predictor="ridge-pairs"),
        measure=lambda candidate, again: Measured({"macs": macs[SPACE.index_of(candidate.genes)]}),
        evaluate=lambda candidate: look_up(candidate.genes),
        on_trial=lambda trial: None,
    )
    scored = [trial for trial in trials if trial.accuracy is not None]
    assert len(scored) == 30
    assert all(macs[SPACE.index_of(trial.candidate.genes)] <= 60e6 for trial in scored)
