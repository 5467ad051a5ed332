from dataclasses import replace

import pytest

from profiler.core.environment import Conditions
from profiler.core.outcome import Attempt, Measurement, Round
from profiler.core.stopping import Stopped, why_stopped
from profiler.core.target import BenchPlan, Target

NOW = Conditions(None, None, None, None)


def process(*medians):
    rounds = tuple(Round((m,) * 30, (0,) * 30, (0,) * 30, (0,) * 30) for m in medians)
    return Attempt(0, 1, 1, 5, True, rounds, 0, 1, (), (), None, NOW, NOW)


STEADY = process(1000, 1001, 1002, 1003, 1004)
RESTLESS = process(900, 950, 1000, 1050, 1100)
PLAN = BenchPlan(processes=2, max_processes=4, interval=0.01)


def measured(*attempts, plan=PLAN):
    return Measurement("m", "model", Target("onnxruntime-cpu"), plan, "e", "s", (), attempts)


@pytest.mark.parametrize(
    ("attempts", "reason"),
    [
        ((STEADY,), None),
        ((STEADY, STEADY), Stopped.INTERVAL),
        ((RESTLESS, RESTLESS), None),
        ((RESTLESS,) * 4, Stopped.BUDGET),
    ],
)
def test_the_interval_of_the_median_or_the_limit_stops(attempts, reason):
    assert why_stopped(measured(*attempts)) == reason


def test_a_third_process_that_does_not_narrow_the_interval_is_the_last():
    # Ranks 2..9 of 10 rounds are 900..1100, and so are ranks 4..12 of 15.
    wide = process(900, 900, 1000, 1100, 1100)
    assert measured(wide, wide).latency.half_width == measured(wide, wide, wide).latency.half_width
    assert why_stopped(measured(wide, wide)) is None
    assert why_stopped(measured(wide, wide, wide)) is Stopped.CONVERGED


def test_a_plan_of_a_fixed_number_stops_there():
    plan = replace(PLAN, processes=2, max_processes=2)
    assert why_stopped(measured(RESTLESS, RESTLESS, plan=plan)) is Stopped.BUDGET


def test_processes_are_added_until_one_runs_at_full_pace():
    slow, fast = (replace(STEADY, rounds=at_pace(pace_ns)) for pace_ns in (190, 100))
    known = replace(slow, known_pace_ns=100.0)
    assert measured(known, known).latency.half_width <= PLAN.interval
    assert why_stopped(measured(known, known)) is None
    assert why_stopped(measured(*[known] * 4)) is Stopped.BUDGET
    assert why_stopped(measured(known, known, fast)) is Stopped.INTERVAL


def at_pace(pace_ns):
    """The steady rounds, each sample beside a probe that took so long."""
    return tuple(replace(r, pace_ns=(pace_ns,) * len(r.wall_ns)) for r in STEADY.rounds)
