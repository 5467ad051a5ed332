from dataclasses import replace

import pytest

from nasprof.search.doubts import doubts
from profiler.bench.environment import capture
from profiler.core.choice import Candidate
from profiler.core.environment import Conditions
from profiler.core.outcome import Attempt, Round
from profiler.core.target import BenchPlan, Target
from profiler.core.tensor import TensorSpec
from profiler.store.records import FinalistRecord, SearchRecord, TrialRecord, TrialState
from profiler.store.store import open_store

SEARCH = SearchRecord("s", "nasbench201", "random", "digits", (), 1, 0)
TRIAL = TrialRecord(0, Candidate("nasbench201", (1,) * 6), TrialState.DONE, 0.9, {}, "1st", "m" * 9)


def put(store, session, load):
    block = Round((1_000_000,) * 30, (0,) * 30, (0,) * 30, (0,) * 30, 1, load)
    now = Conditions(None, None, None, None, cores_online=2)
    measured = Attempt(0, 1, 1, 5, True, (block,) * 6, 0, 1, (), (), None, now, now)
    for number in range(BenchPlan().processes):
        store.put_attempt(
            session, number, "m" * 9, "model", Target("onnxruntime-cpu"), BenchPlan(),
            capture().key, (TensorSpec("x", "float32", (1,)),), measured,
        )  # fmt: skip


@pytest.fixture
def store():
    with open_store("sqlite://") as opened:
        opened.put_environment(capture())
        opened.create_search(SEARCH)
        opened.put_trial("s", TRIAL)
        yield opened


def test_a_flagged_number_is_named_with_its_reason(store):
    put(store, "1st", 1.0)
    assert [str(doubt) for doubt in doubts([TRIAL], "s", store)] == [
        "the latency of #0 on onnxruntime-cpu is noisy: others used 1.0 cores meanwhile"
    ]


def test_what_was_measured_last_counts(store):
    put(store, "1st", 1.0)
    put(store, "2nd", 0.0)
    store.put_finalist("s", FinalistRecord(0, "2nd", {}))
    assert doubts([TRIAL], "s", store) == []


def test_what_was_looked_up_or_counted_has_no_doubts(store):
    assert doubts([replace(TRIAL, session=None)], "s", store) == []
    assert doubts([replace(TRIAL, model_sha256=None)], "s", store) == []
