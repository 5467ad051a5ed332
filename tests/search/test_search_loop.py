from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from formula_search import KEY, SPACE, Killed, Machine, latency_ns, make_problem

from nasprof.search import claim
from nasprof.search.finalists import front
from nasprof.search.loop import SearchResult, run_search, search_record
from nasprof.search.problem import SearchProblem, is_inside
from profiler.core.errors import InputError, MeasurementError, StoreError, UnavailableError
from profiler.store.records import SearchState, TrialRecord, TrialState
from profiler.store.store import Store, open_store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "store.db")) as opened:
        yield opened


def search(store: Store, problem: SearchProblem, machine: Machine) -> SearchResult:
    if store.load_search("s") is None:
        store.create_search(search_record(problem, "s", "formula"))
    return run_search(
        problem,
        "s",
        measure=machine.measure,
        evaluate=machine.evaluate,
        store=store,
        on_trial=machine.keep,
    )


def test_a_search_stores_its_trials_and_confirmed_finalists(store: Store) -> None:
    problem, machine = make_problem("evolution", queries=20, finalists=3), Machine()
    result = search(store, problem, machine)
    assert store.trials("s") == list(result.trials) == machine.kept
    assert sum(trial.accuracy is not None for trial in result.trials) == 20
    assert [f.again for f in result.finalists] == store.finalists("s")
    assert 1 <= len(result.pareto) <= 3
    assert all(latency_ns(trial.candidate.genes) <= 3e6 for trial in result.pareto)
    best = max(trial.accuracy or 0.0 for trial in result.trials if is_inside(problem, trial))
    assert result.pareto[0].accuracy == best
    record = store.load_search("s")
    assert record is not None
    assert record.state is SearchState.DONE
    assert record.constraints == problem.constraints


def test_a_finalist_that_fails_its_limit_is_dropped_and_the_next_one_taken(store: Store) -> None:
    problem = make_problem("random", queries=20, finalists=1)
    best = front(problem, search(store, problem, Machine()).trials)[0]
    with open_store("sqlite://") as second:
        machine = Machine(again_factor=lambda g: 9.0 if g == best.candidate.genes else 1.0)
        result = search(second, problem, machine)
    assert [finalist.dropped is None for finalist in result.finalists] == [False, True]
    assert best.number not in [trial.number for trial in result.pareto]
    assert len(result.pareto) == 1
    assert SPACE.describe(best.candidate.genes) in result.notes[0]
    assert "over 3.000 ms" in result.notes[0]


def test_reported_metrics_are_those_of_the_second_measurement(store: Store) -> None:
    problem = make_problem("random", queries=15, finalists=2)
    result = search(store, problem, Machine(again_factor=lambda genes: 0.5))
    for trial in result.pareto:
        assert trial.metrics[KEY] == latency_ns(trial.candidate.genes) / 2


def test_a_limit_nobody_can_meet_names_the_nearest(store: Store) -> None:
    problem = make_problem("random", limit_ms=0.01, queries=5)
    result = search(store, problem, Machine())
    assert len(result.trials) == 20
    assert result.pareto == ()
    assert result.nearest is not None
    nearest = min(latency_ns(trial.candidate.genes) for trial in result.trials)
    assert result.nearest.metrics[KEY] == nearest
    assert "none of 20 candidates met latency@formula <= 0.0100 ms" in result.notes[-1]
    assert SPACE.describe(result.nearest.candidate.genes) in result.notes[-1]


def test_failures_are_stored_and_the_search_goes_on(store: Store) -> None:
    problem = make_problem("evolution", queries=15)
    result = search(store, problem, Machine(fails=lambda genes: genes[3] == 2))
    failed = [trial for trial in result.trials if trial.state is TrialState.FAILED]
    assert failed
    assert all(trial.record["error"] == "RuntimeError: the export failed" for trial in failed)
    assert all(trial.candidate.genes[3] != 2 for trial in result.pareto)
    told = f"{len(failed)} of {len(result.trials)} candidates failed, the first (#"
    assert any(note.startswith(told) and "the export failed" in note for note in result.notes)
    assert sum(trial.accuracy is not None for trial in result.trials) == 15


def test_an_accuracy_that_is_no_share_is_a_failure(store: Store) -> None:
    problem, machine = make_problem("random", queries=4), Machine()
    store.create_search(search_record(problem, "s", "formula"))
    values = iter([0.5, float("nan"), 93.2, 0.6, 0.7, 0.8])
    result = run_search(
        problem,
        "s",
        measure=machine.measure,
        evaluate=lambda candidate: next(values),
        store=store,
    )
    errors = [t.record["error"] for t in result.trials if t.state is TrialState.FAILED]
    assert errors == [
        "ValueError: an accuracy must be a share in 0..1, not nan",
        "ValueError: an accuracy must be a share in 0..1, not 93.2",
    ]


def test_a_search_in_which_nothing_works_is_given_up(store: Store) -> None:
    problem = make_problem("random", queries=40)
    with pytest.raises(MeasurementError, match=r"5 candidates in a row failed.*export failed"):
        search(store, problem, Machine(fails=lambda genes: True))
    assert len(store.trials("s")) == 5


@pytest.mark.parametrize("error", [StoreError("full"), UnavailableError("install it")])
def test_errors_that_are_not_a_candidates_end_the_search(store: Store, error: Exception) -> None:
    problem = make_problem("random", queries=5)
    store.create_search(search_record(problem, "s", "formula"))

    def broken(candidate: object, *, again: bool) -> None:
        raise error

    with pytest.raises(type(error)):
        run_search(problem, "s", measure=broken, evaluate=Machine().evaluate, store=store)
    record = store.load_search("s")
    assert record is not None
    assert record.state is SearchState.INTERRUPTED


def test_ctrl_c_keeps_everything_and_a_resume_repeats_nothing(store: Store) -> None:
    problem = make_problem("evolution", queries=15)
    with open_store("sqlite://") as other:
        undisturbed = search(other, problem, Machine())
    first = Machine()

    def interrupted(trial: TrialRecord) -> None:
        first.keep(trial)
        if len(first.kept) == 7:
            raise KeyboardInterrupt

    store.create_search(search_record(problem, "s", "formula"))
    with pytest.raises(KeyboardInterrupt):
        run_search(
            problem,
            "s",
            measure=first.measure,
            evaluate=first.evaluate,
            store=store,
            on_trial=interrupted,
        )
    record = store.load_search("s")
    assert record is not None
    assert record.state is SearchState.INTERRUPTED
    second = Machine()
    result = search(store, problem, second)
    assert [t.candidate for t in result.trials] == [t.candidate for t in undisturbed.trials]
    assert first.measured + second.measured == [t.candidate.genes for t in result.trials]
    assert [t.number for t in result.pareto] == [t.number for t in undisturbed.pareto]


def test_a_kill_among_the_finalists_repeats_only_the_one_in_flight(store: Store) -> None:
    problem = make_problem("random", limit_ms=4.0, queries=25, finalists=4)
    whole = Machine()
    with open_store("sqlite://") as other:
        expected = search(other, problem, whole)
    assert len(whole.measured_again) >= 3
    first, count = Machine(), 0

    def dying(genes: tuple[int, ...]) -> float:
        nonlocal count
        count += 1
        if count == 3:
            raise Killed
        return 1.0

    first.again_factor = dying
    with pytest.raises(Killed):
        search(store, problem, first)
    second = Machine()
    result = search(store, problem, second)
    assert second.measured == []
    assert first.measured_again[:2] + second.measured_again == whole.measured_again
    assert [t.number for t in result.pareto] == [t.number for t in expected.pareto]


def test_only_one_process_drives_a_search(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "GRACE_S", 0.3)
    monkeypatch.setattr(claim, "BEAT_S", 0.1)
    problem = make_problem("random", queries=3)
    store.create_search(search_record(problem, "s", "formula"))
    with (
        claim.driving(store, "s") as check,
        pytest.raises(InputError, match="run by another process"),
    ):
        search(store, problem, Machine())
    check()
    assert len(search(store, problem, Machine()).trials) >= 3


def test_unknown_names_and_numbers_are_refused(store: Store) -> None:
    with pytest.raises(InputError, match=r"unknown name 'best'.*weaknas"):
        search(store, make_problem("best"), Machine())
    with pytest.raises(InputError, match="queries of a search must be 1 or more"):
        run_search(
            make_problem("random", queries=0),
            "s",
            measure=Machine().measure,
            evaluate=Machine().evaluate,
            store=store,
        )
    with pytest.raises(InputError, match="no search 'other'"):
        run_search(
            make_problem("random"),
            "other",
            measure=Machine().measure,
            evaluate=Machine().evaluate,
            store=store,
        )


_VICTIM = """
import os, signal, sys
sys.path[:0] = [sys.argv[2], os.path.join(sys.argv[2], "tests", "search")]
from formula_search import Machine, make_problem
from nasprof.search.loop import run_search, search_record
from profiler.store.store import open_store
from profiler.store.records import TrialState
store, problem, machine = open_store(sys.argv[1]), make_problem("evolution", queries=12), Machine()
store.create_search(search_record(problem, "s", "formula"))
def on_trial(trial):
    if trial.number == 6 and trial.state is TrialState.PROPOSED:
        os.kill(os.getpid(), signal.SIGKILL)
run_search(problem, "s", measure=machine.measure, evaluate=machine.evaluate, store=store,
           on_trial=on_trial)
"""


def test_kill_9_loses_no_finished_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "GRACE_S", 0.2)
    url = str(tmp_path / "store.db")
    ended = subprocess.run([sys.executable, "-c", _VICTIM, url, str(ROOT)], env=os.environ)
    assert ended.returncode == -signal.SIGKILL
    problem, second = make_problem("evolution", queries=12), Machine()
    with open_store("sqlite://") as other:
        undisturbed = search(other, problem, Machine())
    with open_store(url) as store:
        states = [trial.state for trial in store.trials("s")]
        assert states == [TrialState.DONE] * 6 + [TrialState.PROPOSED]
        result = search(store, problem, second)
    assert [t.candidate for t in result.trials] == [t.candidate for t in undisturbed.trials]
    assert second.measured == [t.candidate.genes for t in result.trials[6:]]
