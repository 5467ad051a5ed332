import time
from types import SimpleNamespace

import pytest

from profiler.core.target import BenchPlan
from profiler.worker import timing
from profiler.worker.timing import runs_per_sample, take_round, warm_up

PLAN = BenchPlan(round_s=0.02, min_samples=5, warmup_s=0.02, warmup_runs=4, warmup_max_s=0.5)


def busy(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_a_round_has_the_samples_the_plan_asks_for():
    taken = take_round(lambda: busy(0.001), PLAN, 1, time.perf_counter_ns() + 10**10)
    assert len(taken.wall_ns) >= PLAN.min_samples
    assert len(taken.wall_ns) == len(taken.cpu_ns) == len(taken.switches) == len(taken.faults)
    assert min(taken.wall_ns) >= 1_000_000
    assert taken.external_load is None or taken.external_load >= 0


def test_a_round_past_its_deadline_still_has_three_samples():
    taken = take_round(lambda: busy(0.001), PLAN, 1, 0)
    assert len(taken.wall_ns) == 3


def test_short_runs_are_timed_in_blocks():
    assert runs_per_sample(50_000) == 1
    assert runs_per_sample(2_000) == 300
    calls = []
    taken = take_round(lambda: calls.append(0), PLAN, 300, time.perf_counter_ns() + 10**10)
    assert len(calls) == 300 * len(taken.wall_ns)
    assert taken.runs_per_sample == 300


@pytest.fixture
def passing(monkeypatch):
    """Let time pass by exactly what is said, whatever else runs on this machine."""
    now = [0]

    def passes(seconds):
        now[0] += round(seconds * 1e9)

    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter_ns=lambda: now[0]))
    return passes


def test_warm_up_goes_on_until_the_run_time_settles(passing):
    calls = []

    def settling():
        calls.append(0)
        passing(max(0.016 * 0.8 ** len(calls), 0.001))

    warm = warm_up(settling, BenchPlan(warmup_s=0.02, warmup_runs=4, warmup_max_s=5.0))
    assert warm.settled
    assert warm.runs == len(calls)
    assert warm.runs >= 12
    assert warm.run_ns == 1_000_000


def test_warm_up_that_never_settles_ends_and_says_so(passing):
    length = [0.001]

    def growing():
        length[0] *= 1.15
        passing(length[0])

    warm = warm_up(growing, PLAN)
    assert not warm.settled
