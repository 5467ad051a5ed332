"""Optuna's samplers on our spaces, our strategies in Optuna's studies, NSGA-II's front."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from formula_search import KEY, SPACE, Machine, accuracy, latency_ns, make_problem, run

from nasprof.search.optuna import NasprofSampler, distributions, genes_of, search_with, suggest
from nasprof.search.problem import is_inside
from nasprof.spaces.nasbench_mr import PLUGIN as NASBENCH_MR
from profiler.store.records import TrialRecord

optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.mark.parametrize("kind", ["TPESampler", "NSGAIISampler", "RandomSampler"])
def test_samplers_of_optuna_search_a_space_under_its_limit(kind: str) -> None:
    machine, problem = Machine(), make_problem("random", limit_ms=2.5, queries=20)
    sampler = getattr(optuna.samplers, kind)(seed=3)
    study = search_with(sampler, problem, machine.measure, machine.evaluate)
    assert len(machine.evaluated) == 20
    assert len(set(machine.measured)) == len(machine.measured)
    for trial in study.get_trials():
        genes = genes_of(SPACE, trial.params)
        inside = latency_ns(genes) <= 2.5e6
        assert trial.user_attrs[KEY] == latency_ns(genes)
        assert (trial.constraints["limits"] <= 0) == inside
        assert trial.values == [accuracy(genes) if inside else 0.0]
    best = SPACE.parse(study.best_trial.user_attrs["architecture"])
    assert latency_ns(best) <= 2.5e6


def test_a_strategy_of_ours_drives_a_study_and_beats_chance() -> None:
    def best(sampler: optuna.samplers.BaseSampler) -> float:
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(lambda trial: accuracy(suggest(trial, SPACE)), n_trials=30)
        return study.best_value

    ours = np.mean([best(NasprofSampler(SPACE, "local-search", seed=s)) for s in range(4)])
    chance = np.mean([best(optuna.samplers.RandomSampler(seed=s)) for s in range(4)])
    assert ours > chance


def test_studies_are_repeated_by_the_seed_and_try_nothing_twice() -> None:
    def tried(seed: int) -> list[tuple[int, ...]]:
        study = optuna.create_study(sampler=NasprofSampler("nasbench201", "evolution", seed=seed))
        study.optimize(lambda trial: -accuracy(suggest(trial, SPACE)), n_trials=30)
        return [genes_of(SPACE, trial.params) for trial in study.get_trials()]

    assert tried(1) == tried(1) != tried(2)
    assert len({SPACE.canonical(genes) for genes in tried(1)}) == 30


def test_a_constraint_above_zero_is_outside_for_our_strategy_too() -> None:
    sampler = NasprofSampler(SPACE, "local-search", seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)

    def objective(trial: optuna.Trial) -> float:
        genes = suggest(trial, SPACE)
        trial.set_constraint("latency", latency_ns(genes) - 2.5e6)
        return accuracy(genes)

    study.optimize(objective, n_trials=60)
    outside = [t for t in study.get_trials() if t.constraints["latency"] > 0]
    assert outside
    late = [trial.constraints["latency"] <= 0 for trial in study.get_trials()[30:]]
    share = np.mean([latency_ns(genes) <= 2.5e6 for genes in SPACE.members()])
    assert np.mean(late) > share


def test_numbers_are_integers_and_names_are_categories() -> None:
    numbers = distributions(NASBENCH_MR)
    assert isinstance(numbers["i1"], optuna.distributions.IntDistribution)
    assert numbers["i1"].high == 15
    names = distributions(SPACE)
    assert all(isinstance(d, optuna.distributions.CategoricalDistribution) for d in names.values())


def dominated_area(trials: list[TrialRecord], limit_ns: float) -> float:
    """Area between the front and no accuracy at the limit."""
    area, best = 0.0, 0.0
    points = sorted((t.metrics[KEY] or 0.0, t.accuracy or 0.0) for t in trials)
    for latency, value in points:
        if value > best:
            area += (value - best) * (limit_ns - latency)
            best = value
    return area


def test_nsga2_finds_a_larger_front_than_chance() -> None:
    def area(name: str) -> float:
        found = []
        for seed in range(3):
            problem = make_problem(name, limit_ms=2.5, queries=60, seed=seed)
            inside = [t for t in run(problem, Machine()) if is_inside(problem, t)]
            found.append(dominated_area(inside, 2.5e6))
        return float(np.mean(found))

    assert area("nsga2") > 1.05 * area("random")
