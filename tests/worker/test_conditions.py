import os
import time

import pytest

from profiler.bench.environment import capture
from profiler.bench.preflight import load_now
from profiler.worker.conditions import busy_ticks, read_conditions


def test_conditions_agree_with_the_environment():
    now, environment = read_conditions(), capture()
    assert now.cores_allowed == environment.cores_allowed
    assert now.governor == environment.governor
    assert now.cpu_quota == environment.cpu_quota


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core only")
def test_cores_taken_away_are_seen():
    allowed = os.sched_getaffinity(0)
    before = read_conditions()
    try:
        os.sched_setaffinity(0, {min(allowed)})
        after = read_conditions()
    finally:
        os.sched_setaffinity(0, allowed)
    assert before.cores_allowed == tuple(sorted(allowed))
    assert after.cores_allowed == (min(allowed),)


def test_time_and_taken_time_only_grow():
    before, after = read_conditions(), read_conditions()
    assert after.monotonic_s >= before.monotonic_s
    assert after.boot_s >= after.monotonic_s
    assert (after.steal_s or 0) >= (before.steal_s or 0)


@pytest.mark.skipif(busy_ticks() is None, reason="no /proc/stat")
def test_work_shows_in_the_ticks():
    before, end = busy_ticks(), time.perf_counter() + 0.1
    while time.perf_counter() < end:
        pass
    assert busy_ticks() > before
    assert load_now(0.02) >= 0
