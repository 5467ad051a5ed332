import time

from profiler.core.target import BenchPlan
from profiler.worker import pace
from profiler.worker.pace import PaceTags, probe_ns
from profiler.worker.timing import take_round


def test_samples_carry_the_slower_of_the_two_probes_beside_them(monkeypatch):
    probes = iter([20, 30, 10, 15])
    monkeypatch.setattr(pace, "probe_ns", lambda: next(probes))
    tags = PaceTags()
    tags.probe(2)
    tags.probe(5)
    assert tags.tags(6) == (30, 30, 30, 30, 30, 15)
    assert tags.tags(6) == (30, 30, 30, 30, 30, 15)


def test_a_probe_is_due_after_its_time():
    tags = PaceTags()
    now = time.perf_counter_ns()
    assert tags.due(now + pace.EVERY_NS)
    assert not tags.due(now - pace.EVERY_NS)


def test_every_sample_of_a_round_has_a_pace_and_no_probe_is_in_a_sample():
    plan = BenchPlan(round_s=0.03, min_samples=5)
    taken = take_round(lambda: None, plan, 300, time.perf_counter_ns() + 10**10)
    assert len(taken.pace_ns) == len(taken.wall_ns)
    assert min(taken.pace_ns) > 0
    # 300 empty calls take less than a probe would add to every sample.
    assert len(set(taken.pace_ns)) > 1


def test_the_probe_takes_time_that_the_clock_can_tell():
    assert min(probe_ns() for _ in range(20)) > 1_000
