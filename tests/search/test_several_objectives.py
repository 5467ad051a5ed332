"""Several objectives: one score a step, the Pareto set at the end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from formula_search import KEY, Machine, latency_ns, make_problem, run

from nasprof.search.constraints import parse_objectives
from nasprof.search.finalists import confirm, front, reported
from nasprof.search.optuna import values_of
from nasprof.search.problem import SearchProblem
from nasprof.search.scalarising import as_one, scored_losses
from profiler.core.choice import Candidate
from profiler.core.pareto import dominates
from profiler.store.records import TrialRecord, TrialState
from reports.search_progress import progress

BOTH = parse_objectives([], [KEY])
OTHERS = ("evolution", "local-search", "nsga2", "op-nas", "random", "rank-ei", "weaknas")


def both(strategy: str, limit_ms: float | None = None, **settings: int) -> SearchProblem:
    return replace(make_problem(strategy, limit_ms, **settings), objectives=BOTH)


def test_the_score_is_the_augmented_chebyshev_distance() -> None:
    # Losses 0, 1/2, 1 and 1, 1/2, 0 with weights 1/4 and 3/4: the greatest weighted parts are
    # 3/4, 3/8, 1/4, the sums 3/4, 1/2, 1/4.
    losses = [np.array([10.0, 11.0, 12.0]), np.array([4.0, 3.0, 2.0])]
    found = scored_losses(losses, np.array([0.25, 0.75]))
    parts = np.array([0.75 + 0.05 * 0.75, 0.375 + 0.05 * 0.5, 0.25 + 0.05 * 0.25])
    assert found == pytest.approx(1 - parts / 1.05)


def test_one_objective_leaves_the_history_and_the_generator_alone() -> None:
    problem = make_problem("random", queries=6)
    trials, rng = run(problem, Machine()), np.random.default_rng(3)
    assert as_one(problem, trials, rng) == trials
    assert rng.random() == np.random.default_rng(3).random()


def test_weights_change_and_keep_what_dominates_ahead() -> None:
    problem = both("random", queries=25)
    trials = run(problem, Machine())
    seen = [as_one(problem, trials, np.random.default_rng(n)) for n in range(20)]
    best = {max(history, key=lambda t: t.accuracy or 0.0).number for history in seen}
    assert len(best) > 2
    points = {t.number: (-(t.accuracy or 0.0), t.metrics[KEY] or 0.0) for t in trials}
    for history in seen:
        scores = {t.number: t.accuracy or 0.0 for t in history}
        assert all(0 <= score <= 1 for score in scores.values())
        for one, better in points.items():
            for other, worse in points.items():
                if dominates(better, worse):
                    assert scores[one] >= scores[other]


def test_a_cost_that_was_not_measured_is_predicted() -> None:
    problem = both("random", queries=30)
    trials = run(problem, Machine())
    silent = [replace(t, metrics={}) if t.number == 7 else t for t in trials]
    scores = [as_one(problem, known, np.random.default_rng(1))[7] for known in (trials, silent)]
    assert scores[0].accuracy == pytest.approx(scores[1].accuracy, abs=0.1)


@pytest.mark.parametrize("strategy", OTHERS)
def test_every_strategy_gives_a_front_of_several_networks(strategy: str) -> None:
    problem, machine = both(strategy, queries=30, finalists=30), Machine()
    trials = run(problem, machine)
    found = reported(problem, confirm(problem, trials, machine.measure))
    assert len(found) >= 3
    costs = [trial.metrics[KEY] or 0.0 for trial in found]
    assert costs == sorted(costs, reverse=True)
    assert all(cost == latency_ns(t.candidate.genes) for cost, t in zip(costs, found, strict=True))


def test_searching_for_both_gives_a_larger_volume_than_for_accuracy_or_at_random() -> None:
    volumes: dict[str, list[float]] = {"both": [], "accuracy": [], "random": []}
    for seed in range(3):
        for name in volumes:
            strategy = "random" if name == "random" else "rank-ei"
            problem = both(strategy, 6.0, queries=40, seed=seed)
            if name == "accuracy":
                problem = replace(problem, objectives=())
            found = progress(problem.constraints, BOTH, run(problem, Machine()))
            assert found is not None
            volumes[name].append(found.volume)
    means = {name: np.mean(values) for name, values in volumes.items()}
    assert means["both"] > means["accuracy"]
    assert means["both"] > means["random"]


def test_limits_hold_with_several_objectives_and_prediction() -> None:
    problem = replace(both("evolution", 2.5, queries=30), predicted=True)
    machine = Machine()
    trials = run(problem, machine)
    ruled_out = [t for t in trials if KEY not in t.metrics]
    assert ruled_out
    assert all(trial.accuracy is None for trial in ruled_out)
    assert all(latency_ns(t.candidate.genes) <= 2.5e6 for t in front(problem, trials))


def test_a_thrifty_search_for_several_objectives_stays_in_its_budget() -> None:
    problem = replace(both("rank-ei", 3.0, queries=25, finalists=2), measurements=14)
    machine = Machine()
    trials = run(problem, machine)
    found = reported(problem, confirm(problem, trials, machine.measure))
    assert len(machine.measured) + len(machine.measured_again) <= 14
    assert found
    assert all(latency_ns(trial.candidate.genes) <= 3e6 for trial in found)


def test_optuna_sees_the_objectives_and_the_worst_for_an_unknown() -> None:
    record = TrialRecord(
        0, Candidate("nasbench201", (1,) * 6), TrialState.DONE, 0.5, {KEY: 2e6, "params": None}
    )
    problem = make_problem("nsga2", 3.0)
    assert values_of(problem, record) == [0.5, 2e6]
    params = replace(problem, objectives=parse_objectives(["accuracy"], ["params"]))
    accuracy, cost = values_of(params, record)
    assert accuracy == 0.5
    assert cost > 1e20
