"""Models, searches, trials and who drives a search."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from store_values import COST, ENVIRONMENT, INPUTS, SHA, failure

from profiler.core.choice import Candidate, Constraint
from profiler.core.errors import InputError, StoreError
from profiler.store.records import (
    FinalistRecord,
    ModelRecord,
    SearchRecord,
    SearchState,
    TrialRecord,
    TrialState,
)
from profiler.store.store import Store

SEARCH = SearchRecord(
    name="'); DROP TABLE search;--",
    space="nasbench201",
    strategy="weaknas",
    accuracy="digits",
    constraints=(Constraint("latency", "onnxruntime-cpu", 2e6), Constraint("params", None, 1e6)),
    queries=40,
    seed=2**70,
    config={"epochs": 3, "nested": {"a": [1, 2.5, None, True]}},
)
TRIAL = TrialRecord(
    number=0,
    candidate=Candidate("nasbench201", (0, 1, 2, 3, 4, 0)),
    state=TrialState.PROPOSED,
)
DONE = replace(
    TRIAL,
    state=TrialState.DONE,
    accuracy=0.9,
    metrics={"latency@onnxruntime-cpu": 1.5e6, "macs": 10.0, "energy": None},
    session="s1",
    model_sha256=SHA,
    record={"epochs": 3, "losses": [1.0, 0.5]},
)
MODEL = ModelRecord(SHA, "m", None, 10, (("", 17),), INPUTS, (), (("key", "<b>\x00"),))


def test_a_model_is_stored_once_with_a_cost_for_each_size(store: Store) -> None:
    assert store.put_model(MODEL)
    assert store.cost(SHA) is None
    assert not store.put_model(replace(MODEL, label="other"), COST)
    larger = replace(COST, macs=8 * COST.macs)
    store.put_model(MODEL, larger, (("n", 8), ("a", 1)))
    assert store.model(SHA) == MODEL
    assert store.models() == [MODEL]
    assert store.cost(SHA) == COST
    assert store.cost(SHA, (("a", 1), ("n", 8))) == larger
    assert store.model("none") is None


def test_an_environment_is_stored_once(store: Store) -> None:
    assert store.put_environment(ENVIRONMENT)
    assert not store.put_environment(ENVIRONMENT)
    assert store.environments() == [ENVIRONMENT]
    assert store.environment(ENVIRONMENT.key) == ENVIRONMENT
    assert store.environment("none") is None


def test_a_search_comes_back_with_its_state(store: Store) -> None:
    store.create_search(SEARCH)
    found = store.load_search(SEARCH.name)
    assert found is not None
    assert found.created_at.endswith("Z")
    assert replace(found, created_at="") == SEARCH
    store.set_search_state(SEARCH.name, SearchState.DONE)
    changed = store.load_search(SEARCH.name)
    assert changed == replace(found, state=SearchState.DONE)
    assert store.searches() == [changed]
    assert store.load_search("none") is None


def test_a_name_is_given_once(store: Store) -> None:
    store.create_search(SEARCH)
    with pytest.raises(InputError, match="already"):
        store.create_search(replace(SEARCH, seed=1))
    with pytest.raises(StoreError, match="no search"):
        store.set_search_state("none", SearchState.DONE)
    with pytest.raises(StoreError, match="no search"):
        store.put_trial("none", TRIAL)


def test_a_trial_changes_until_it_is_finished(store: Store) -> None:
    store.create_search(SEARCH)
    assert store.put_trial(SEARCH.name, TRIAL)
    assert store.trials(SEARCH.name) == [TRIAL]
    assert store.put_trial(SEARCH.name, DONE)
    assert not store.put_trial(SEARCH.name, replace(DONE, accuracy=0.1))
    assert not store.put_trial(SEARCH.name, TRIAL)
    second = replace(DONE, number=1, state=TrialState.FAILED, accuracy=None)
    assert store.put_trial(SEARCH.name, second)
    assert store.trials(SEARCH.name) == [DONE, second]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_accuracy_that_is_no_number_is_refused(store: Store, value: float) -> None:
    store.create_search(SEARCH)
    with pytest.raises(ValueError, match="finite"):
        store.put_trial(SEARCH.name, replace(DONE, accuracy=value))
    assert store.trials(SEARCH.name) == []


def test_nan_metrics_stay_nan_and_do_not_become_unknown(store: Store) -> None:
    store.create_search(SEARCH)
    store.put_trial(SEARCH.name, replace(DONE, metrics={"a": math.nan, "b": math.inf, "c": None}))
    metrics = store.trials(SEARCH.name)[0].metrics
    assert metrics["a"] is not None
    assert math.isnan(metrics["a"])
    assert metrics["b"] == math.inf
    assert metrics["c"] is None


def test_finalists_are_kept_beside_their_trials(store: Store) -> None:
    store.create_search(SEARCH)
    store.put_trial(SEARCH.name, DONE)
    finalist = FinalistRecord(0, "s2", {"latency@onnxruntime-cpu": 1.6e6})
    assert store.put_finalist(SEARCH.name, finalist)
    assert not store.put_finalist(SEARCH.name, finalist)
    again = replace(finalist, session="s3")
    assert store.put_finalist(SEARCH.name, again)
    assert store.finalists(SEARCH.name) == [finalist, again]


def test_history_names_searches_too(store: Store) -> None:
    store.create_search(SEARCH)
    store.put_trial(SEARCH.name, DONE)
    store.put_trial(SEARCH.name, replace(DONE, number=1, state=TrialState.FAILED))
    (entry,) = store.history()
    assert (entry.kind, entry.name, entry.state) == ("search", SEARCH.name, "running")
    assert (entry.models, entry.measurements, entry.failures) == (2, 1, 1)
    assert entry.targets == ("onnxruntime-cpu",)


def test_what_a_search_measured_is_no_entry_of_its_own(store: Store) -> None:
    store.put_environment(ENVIRONMENT)
    store.put_failure(failure("before"), 0)
    store.create_search(replace(SEARCH, created_at="2000"))
    store.put_trial(SEARCH.name, replace(DONE, session="during"))
    store.put_finalist(SEARCH.name, FinalistRecord(0, "again", {}))
    for session in ("during", "again", "apart"):
        store.put_failure(failure(session), 0)
    assert {entry.name for entry in store.history()} == {SEARCH.name, "before", "apart"}


def test_a_session_that_a_search_only_used_stays_an_entry(store: Store) -> None:
    store.put_environment(ENVIRONMENT)
    store.put_failure(failure("before"), 0)
    store.create_search(replace(SEARCH, created_at="9999"))
    store.put_trial(SEARCH.name, replace(DONE, session="before"))
    assert {entry.name for entry in store.history()} == {SEARCH.name, "before"}


def test_one_process_drives_a_search_until_its_heart_stops(store: Store) -> None:
    store.create_search(SEARCH)
    assert store.claim_search(SEARCH.name, "one")
    assert store.claim_search(SEARCH.name, "one")
    assert not store.claim_search(SEARCH.name, "two")
    # A grace of less than nothing: the first owner counts as dead.
    assert store.claim_search(SEARCH.name, "two", grace_s=-1.0)
    assert not store.beat_search(SEARCH.name, "one")
    assert store.beat_search(SEARCH.name, "two")
    store.release_search(SEARCH.name, "one")
    assert not store.claim_search(SEARCH.name, "one")
    store.release_search(SEARCH.name, "two")
    assert store.claim_search(SEARCH.name, "one")
    with pytest.raises(StoreError, match="no search"):
        store.claim_search("none", "one")
