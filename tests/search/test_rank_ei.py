"""The default strategy: what it takes next, and what it does with few measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from formula_search import KEY, SPACE, Killed, Machine, accuracy, latency_ns, make_problem, run
from scipy.special import log_ndtr, ndtri

from nasprof.predict._normal import log_improvement, normal_scores
from nasprof.predict._predictor import LEVEL, Predicted
from nasprof.predict.gp import GaussianProcess
from nasprof.search.beliefs import log_inside, log_inside_of, predict_costs
from nasprof.search.constraints import parse_constraint
from nasprof.search.economy import expected_best, is_measured, latest, left
from nasprof.search.features import features
from nasprof.search.finalists import confirm, reported
from nasprof.search.pool import whole_pool
from nasprof.search.problem import SearchProblem, check_problem
from nasprof.search.strategies.rank_ei import RankEi, most_worth
from nasprof.spaces._space import Genes
from profiler.core.errors import InputError

HALF = float(ndtri((1 + LEVEL) / 2))


def test_inside_probability_is_the_product_over_limits() -> None:
    latency, macs = parse_constraint("latency@a<=3ns"), parse_constraint("macs<=10")
    mean = np.array([2.0, 3.0])
    predicted = {
        latency: Predicted(mean, mean - HALF * 0.5, mean + HALF * 0.5),
        macs: Predicted(np.array([8.0, 10.0]), np.full(2, -np.inf), np.full(2, np.inf)),
    }
    found = log_inside(predicted, 2)
    np.testing.assert_allclose(found, log_ndtr([2.0, 0.0]) + np.log(0.5), rtol=1e-9)


def test_the_expected_best_counts_chances_by_hand() -> None:
    """0.5 x 3 + 0.5 x 0.8 x 2 + 0.5 x 0.2 x 1, and the lowest where none is inside."""
    found = expected_best(np.array([1.0, 3.0, 2.0]), np.array([1.0, 0.5, 0.8]))
    assert found == pytest.approx(2.4)
    assert expected_best(np.array([1.0, 3.0]), np.zeros(2)) == 1.0


def test_the_quick_way_takes_what_the_slow_way_takes() -> None:
    rng = np.random.default_rng(1)
    cells = [SPACE.at(int(i)) for i in rng.choice(15_625, 3000, replace=False)]
    x = features(SPACE, cells)
    y = np.array([accuracy(genes) for genes in cells])
    for count in (10, 11, 12, 60, 40):
        fitted = GaussianProcess().fit(x[:count], y[:count], 0)
        best = float(y[:count].max())
        for _ in range(3):
            new = np.sort(rng.choice(len(x), 2000, replace=False))
            inside = np.log(rng.random(len(new)))
            slow = inside + log_improvement(fitted.predict(x[new]), best)
            assert most_worth(fitted, x, new, inside, best) == new[np.argmax(slow)]


def test_groups_of_features_weigh_the_same() -> None:
    cells = [SPACE.at(i) for i in range(0, 15_625, 25)]
    x = features(SPACE, cells)
    spreads = [x[:, :30].var(axis=0).sum(), x[:, 30:35].var(axis=0).sum()]
    np.testing.assert_allclose(spreads, 1.0, atol=0.1)
    assert x.var(axis=0).sum() == pytest.approx(4.0, abs=0.3)


def _thrifty(**settings: int) -> SearchProblem:
    problem = make_problem("rank-ei", limit_ms=2.5, queries=25, **settings)
    return replace(problem, measurements=14, finalists=1)


def test_few_measurements_stay_in_their_budget_and_report_a_network_inside() -> None:
    problem = _thrifty(seed=1)
    machine = Machine()
    trials = run(problem, machine)
    found = reported(problem, confirm(problem, trials, machine.measure))
    assert len(machine.measured) + len(machine.measured_again) <= 14
    assert len(machine.evaluated) == 25
    assert len(found) == 1
    assert latency_ns(found[0].candidate.genes) <= 2.5e6
    assert found[0].metrics[KEY] == latency_ns(found[0].candidate.genes)
    inside = [accuracy(genes) for genes in SPACE.members() if latency_ns(genes) <= 2.5e6]
    assert (found[0].accuracy or 0.0) >= np.quantile(inside, 0.99)


def test_what_the_store_holds_costs_no_measurement() -> None:
    problem = _thrifty(seed=1)
    trials = run(problem, Machine())
    spent = [trial for trial in trials if is_measured(problem, trial)]
    assert left(problem, trials) == 14 - len(spent)
    free = {trial.number for trial in spent[:5]}
    held = [
        replace(trial, record=dict(trial.record) | {"from_store": True})
        if trial.number in free
        else trial
        for trial in trials
    ]
    assert left(problem, held) == 14 - len(spent) + 5


def test_the_time_of_all_trials_is_a_budget_too() -> None:
    problem = replace(make_problem("rank-ei", queries=25), seconds=1e-9)
    first, resumed = Machine(), Machine()
    assert len(run(problem, first)) == 1
    assert len(run(problem, resumed, first.kept)) == 1
    assert resumed.measured == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"measurements": 3}, "3 measurements are too few"), ({"seconds": 0.0}, "more than 0")],
)
def test_budgets_that_cannot_be_are_refused(settings: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_problem(replace(make_problem("rank-ei"), **settings))


def test_a_thrifty_search_killed_at_any_measurement_goes_on_as_if_it_had_not_been() -> None:
    problem = _thrifty(seed=2)
    whole = Machine()
    undisturbed = [trial.candidate for trial in run(problem, whole)]
    for kill in range(1, len(whole.measured), 3):
        first, second = Machine(die_after=kill), Machine()
        with pytest.raises(Killed):
            run(problem, first)
        trials = run(problem, second, first.kept)
        assert [trial.candidate for trial in trials] == undisturbed


def test_the_same_seed_gives_the_same_search() -> None:
    one, other = (run(_thrifty(seed=3), Machine()) for _ in range(2))
    assert [trial.candidate for trial in one] == [trial.candidate for trial in other]
    different = run(_thrifty(seed=4), Machine())
    assert [trial.candidate for trial in one] != [trial.candidate for trial in different]


def _elsewhere(candidates: Sequence[Genes]) -> np.ndarray:
    """Two devices that run everything, the second one slower where there are more 3 x 3."""
    ns = np.array([latency_ns(genes) for genes in candidates])
    wide = np.array([genes.count(3) for genes in candidates])
    return np.stack([2 * ns, ns * (1 + 0.05 * wide)], axis=1)


def test_known_costs_elsewhere_take_the_place_of_half_the_probes() -> None:
    for elsewhere, probes in ((None, 7), (_elsewhere, 4)):
        problem = replace(_thrifty(seed=5), elsewhere=elsewhere)
        machine = Machine()
        trials = run(problem, machine)
        assert sum(trial.record["batch"] == 0 for trial in trials) == probes
        found = reported(problem, confirm(problem, trials, machine.measure))
        inside = [accuracy(genes) for genes in SPACE.members() if latency_ns(genes) <= 2.5e6]
        assert (found[0].accuracy or 0.0) >= np.quantile(inside, 0.99)


def test_with_few_measurements_a_poor_chance_counts_for_less_than_it_is_said_to_be() -> None:
    """Proposals are the greatest log improvement plus the log of the chance times 1.5."""
    problem = _thrifty(seed=6)
    trials = run(problem, Machine())
    differs = 0
    for count in (20, 24, 28):
        history = trials[:count]
        known = latest(history)
        scores = normal_scores(np.array([trial.accuracy for trial in known]))
        whole = whole_pool(problem)
        inside = log_inside(predict_costs(problem, history, whole.costs), len(whole.genes))
        rows = features(SPACE, [trial.candidate.genes for trial in known])
        best = expected_best(scores, np.exp(log_inside_of(problem, history, known)))
        gain = log_improvement(GaussianProcess().fit(rows, scores, 0).predict(whole.features), best)
        gain[list({whole.place[SPACE.canonical(t.candidate.genes)] for t in history})] = -np.inf
        chosen = RankEi().propose(problem, history, 1, np.random.default_rng(0))
        assert chosen == [whole.genes[np.argmax(gain + 1.5 * inside)]]
        differs += chosen != [whole.genes[np.argmax(gain + inside)]]
    assert differs
