"""Attempts in, outcomes out: groups, idempotency, filters."""

from __future__ import annotations

from dataclasses import replace

import pytest
from store_values import ENVIRONMENT, INPUTS, PLAN, SHA, TARGET, attempt, failure

from profiler.core.errors import StoreError
from profiler.core.outcome import Attempt, Failure
from profiler.core.target import BenchPlan, Target
from profiler.store.store import Store, open_store

HOSTILE = "'); DROP TABLE attempt;--\n\x00\x1b[31m<b>é😀"


def put(
    store: Store,
    number: int = 0,
    *,
    session: str = "s1",
    sha: str = SHA,
    label: str = "m",
    target: Target = TARGET,
    plan: BenchPlan = PLAN,
    value: Attempt | None = None,
) -> bool:
    store.put_environment(ENVIRONMENT)
    value = value or attempt(number)
    return store.put_attempt(
        session, number, sha, label, target, plan, ENVIRONMENT.key, INPUTS, value
    )


def test_attempts_of_a_session_become_one_measurement(store: Store) -> None:
    put(store, 1)
    put(store, 0)
    found = store.measurement("s1", SHA, TARGET)
    assert found is not None
    assert found.attempts == (attempt(0), attempt(1))
    assert found.inputs == INPUTS
    assert found.plan == PLAN
    assert store.outcomes() == [found]


def test_the_same_put_twice_is_one_row_and_the_first_one_stays(store: Store) -> None:
    assert put(store, 0)
    assert not put(store, 0)
    assert not put(store, 0, value=attempt(99))
    found = store.measurement("s1", SHA, TARGET)
    assert found is not None
    assert found.attempts == (attempt(0),)


def test_a_failure_and_a_measurement_can_not_share_a_number(store: Store) -> None:
    put(store, 0)
    assert not store.put_failure(failure(), 0)
    assert store.put_failure(failure(), 1)
    assert not store.put_failure(failure(), 1)
    assert store.outcomes(complete=False)[0] == failure()


def test_an_attempt_needs_its_environment(store: Store) -> None:
    with pytest.raises(StoreError, match="environment"):
        store.put_failure(failure(), 0)
    assert store.outcomes() == []


def test_an_incomplete_measurement_is_left_out_unless_asked_for(store: Store) -> None:
    put(store, 0)
    assert store.outcomes() == []
    assert len(store.outcomes(complete=False)) == 1
    put(store, 1)
    assert len(store.outcomes()) == 1


def test_find_measurement_wants_exactly_the_same_and_enough_of_it(store: Store) -> None:
    for number in range(2):
        put(store, number, session="old")
        put(store, number, session="new")
    put(store, 0, session="newest-but-cut-short")
    found = store.find_measurement(SHA, TARGET, PLAN, ENVIRONMENT.key, 2)
    assert found is not None
    assert found.session == "new"
    assert store.find_measurement(SHA, TARGET, PLAN, ENVIRONMENT.key, 3) is None
    assert store.find_measurement(SHA, TARGET, PLAN, "other", 1) is None
    other = replace(TARGET, threads=2)
    assert store.find_measurement(SHA, other, PLAN, ENVIRONMENT.key, 1) is None
    other_plan = replace(PLAN, seed=1)
    assert store.find_measurement(SHA, TARGET, other_plan, ENVIRONMENT.key, 1) is None


def test_targets_that_differ_only_in_device_are_not_pooled(store: Store) -> None:
    gpu = replace(TARGET, device="gpu")
    assert gpu.key == TARGET.key
    put(store, 0)
    put(store, 1, target=gpu)
    found = store.measurement("s1", SHA, TARGET)
    assert found is not None
    assert len(found.attempts) == 1


def test_outcomes_come_newest_first_and_filtered(store: Store) -> None:
    other = replace(TARGET, runtime="openvino-cpu")
    for session, target in (("a", TARGET), ("b", other), ("c", TARGET)):
        for number in range(2):
            put(store, number, session=session, target=target)
    store.put_failure(failure("d"), 0)
    assert [found.session for found in store.outcomes()] == ["d", "c", "b", "a"]
    assert [found.session for found in store.outcomes(limit=2)] == ["d", "c"]
    assert [found.session for found in store.outcomes(targets=[other.key])] == ["b"]
    assert [found.session for found in store.outcomes(sessions=["a", "c"])] == ["c", "a"]
    assert store.outcomes(models=["none"]) == []
    assert store.outcomes(environments=[]) == []
    assert len(store.outcomes(environments=[ENVIRONMENT.key])) == 4


def test_more_rows_than_one_query_takes_come_in_order() -> None:
    with open_store("sqlite://") as store:
        store.put_environment(ENVIRONMENT)
        for number in range(600):
            store.put_failure(failure(message=str(number)), number)
        found = [outcome for outcome in store.outcomes() if isinstance(outcome, Failure)]
    assert [one.message for one in found] == [str(number) for number in reversed(range(600))]


def test_history_counts_what_a_session_did(store: Store) -> None:
    for number in range(2):
        put(store, number, session="a")
        put(store, number, session="a", sha="b" * 64)
    store.put_failure(failure("a"), 2)
    put(store, 0, session="b")
    newest, older = store.history()
    assert (newest.name, older.name) == ("b", "a")
    assert (older.kind, older.models, older.measurements, older.failures) == ("bench", 2, 2, 1)
    assert older.targets == (TARGET.key,)
    assert older.environments == (ENVIRONMENT.key,)
    assert sum(count for _, count in older.verdicts) == 2
    assert {verdict for verdict, _ in older.verdicts} <= {"valid", "noisy", "invalid"}
    assert older.created_at.endswith("Z")
    assert len(store.history(1)) == 1


def test_hostile_text_comes_back_as_it_was(store: Store) -> None:
    put(store, 0, session=HOSTILE, label=HOSTILE)
    store.put_failure(failure(HOSTILE, message=HOSTILE, label="x" * 1_000_000), 1)
    found = store.outcomes(sessions=[HOSTILE], complete=False)
    assert found[0] == failure(HOSTILE, message=HOSTILE, label="x" * 1_000_000)
    assert (found[1].label, found[1].session) == (HOSTILE, HOSTILE)
    assert store.history()[0].name == HOSTILE


def test_half_a_surrogate_pair_in_a_file_name_is_kept(store: Store) -> None:
    put(store, 0, label="caf\udce9.onnx")
    assert store.outcomes(complete=False)[0].label == "caf\udce9.onnx"


def test_columns_of_unequal_length_are_refused(store: Store) -> None:
    good = attempt(0)
    bad = replace(good, rounds=(replace(good.rounds[0], cpu_ns=(1,)),))
    with pytest.raises(ValueError, match="length"):
        put(store, 0, value=bad)
