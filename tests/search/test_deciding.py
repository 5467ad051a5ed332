"""Prediction decides where it is sure, a measurement where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from formula_search import KEY, SPACE, Killed, Machine, latency_ns, make_problem, run

from nasprof.search.deciding import judge, unmeasured
from nasprof.search.economy import PROBES
from nasprof.search.finalists import confirm, front, reported
from nasprof.search.problem import SearchProblem
from nasprof.spaces._space import Genes
from profiler.core.choice import Candidate
from profiler.store.records import TrialRecord, TrialState


def deciding(strategy: str = "evolution", limit_ms: float = 2.5, **settings: int) -> SearchProblem:
    return replace(make_problem(strategy, limit_ms, **settings), predicted=True)


def judged(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Trials that were decided without a measurement."""
    return [t for t in trials if KEY not in t.metrics and t.state is TrialState.DONE]


@pytest.mark.parametrize(("strategy", "least"), [("evolution", 30), ("rank-ei", 10)])
def test_many_candidates_are_decided_rightly_without_measuring(strategy: str, least: int) -> None:
    problem, machine = deciding(strategy, queries=40), Machine()
    trials = run(problem, machine)
    skipped = judged(trials)
    # The formula is a sum of operations, so much can be known from a few measurements; the default
    # strategy goes where the limit is, so that more of its candidates have to be measured.
    assert len(skipped) >= least
    assert len(machine.measured) >= PROBES
    right = [
        (trial.accuracy is not None) == (latency_ns(trial.candidate.genes) <= 2.5e6)
        for trial in skipped
    ]
    assert sum(right) / len(right) >= 0.9
    for trial in skipped:
        low, mean, high = trial.record["predicted"][KEY]
        assert low < mean < high
        assert high <= 2.5e6 if trial.accuracy is not None else low > 2.5e6


def test_what_stands_on_both_sides_of_the_limit_is_measured() -> None:
    for trial in run(deciding(queries=40), Machine()):
        if "predicted" in trial.record and KEY in trial.metrics:
            low, _, high = trial.record["predicted"][KEY]
            assert low <= 2.5e6 < high
            assert (trial.accuracy is not None) == ((trial.metrics[KEY] or 0.0) <= 2.5e6)


def test_whoever_is_reported_was_measured_in_the_search_and_again() -> None:
    problem, machine = deciding("random", queries=40, finalists=3), Machine()
    trials = run(problem, machine)
    finalists = reported(problem, confirm(problem, trials, machine.measure))
    assert 1 <= len(finalists) <= 3
    for trial in finalists:
        assert trial.candidate.genes in machine.measured
        assert trial.candidate.genes in machine.measured_again
        assert latency_ns(trial.candidate.genes) <= 2.5e6
    # No candidate with a better accuracy was left out because nobody measured it.
    best = finalists[0].accuracy or 0.0
    for trial in judged(trials):
        if latency_ns(trial.candidate.genes) <= 2.5e6 and trial.accuracy is not None:
            assert trial.accuracy <= best


def test_a_killed_search_goes_on_as_if_it_had_not_been() -> None:
    problem, whole = deciding(queries=30), Machine()
    expected = run(problem, whole)
    assert len(judged(expected)) > 3
    for die_after in (3, PROBES, len(whole.measured) - 1):
        first = Machine(die_after=die_after)
        with pytest.raises(Killed):
            run(problem, first)
        second = Machine()
        trials = run(problem, second, first.kept)
        assert [t.candidate for t in trials] == [t.candidate for t in expected]
        assert first.measured + second.measured == whole.measured


def test_a_hopeful_network_that_fails_when_it_is_measured_makes_room_for_the_next() -> None:
    problem, plain = deciding("random", limit_ms=4.5, queries=40, finalists=1), Machine()
    best = front(problem, run(problem, plain))[0]
    assert "revisits" in best.record
    broken = Machine(fails=lambda genes: genes == best.candidate.genes)
    trials = run(problem, broken)
    failed = [trial for trial in trials if trial.state is TrialState.FAILED]
    assert [trial.candidate for trial in failed] == [best.candidate]
    assert front(problem, trials)[0].candidate != best.candidate


def _trial(number: int, genes: Genes, accuracy: float | None, latency: float | None) -> TrialRecord:
    metrics = {} if latency is None else {KEY: latency}
    candidate = Candidate(SPACE.name, genes)
    return TrialRecord(number, candidate, TrialState.DONE, accuracy, metrics)


def test_nothing_is_judged_before_enough_was_measured() -> None:
    problem = deciding(limit_ms=1.5)
    cells = [(n % 5, n // 5 % 5, 3, 1, 2, n % 3) for n in range(PROBES)]
    history = [_trial(n, cell, 0.5, latency_ns(cell)) for n, cell in enumerate(cells)]
    asked = _trial(99, (3, 3, 3, 3, 3, 3), None, None)
    assert judge(problem, history[:-1], asked) is None
    found = judge(problem, history, asked)
    assert found is not None
    assert found.inside is False
    assert found.probability < 0.05


def test_the_best_of_what_was_not_measured_comes_first_and_measured_better_ones_end_it() -> None:
    problem = deciding(finalists=1)
    cells = [(n % 5, n // 5 % 5, 3, 1, 2, n % 3) for n in range(12)]
    history = [_trial(n, cell, 0.5, latency_ns(cell)) for n, cell in enumerate(cells)]
    cheap, cheaper = (0, 0, 0, 1, 0, 0), (0, 0, 0, 0, 0, 0)
    history += [_trial(20, cheaper, 0.6, None), _trial(21, cheap, 0.7, None)]
    assert unmeasured(problem, history) == cheap
    history.append(_trial(22, cheap, 0.7, latency_ns(cheap)))
    assert unmeasured(problem, history) is None
