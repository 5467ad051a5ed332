import numpy as np
import pytest
from report_values import attempt

from profiler.core.outcome import Measurement, Round
from profiler.core.sweep import knee
from profiler.core.target import BenchPlan, Target
from profiler.core.tensor import TensorSpec
from reports.rows import outcome_row
from reports.sweeps import knees, sweep_text, sweeps


def measured(median_ns, batch=1, threads=1, label="net"):
    tried = attempt(np.random.default_rng(0), median_ns, 6, 0.001)
    return Measurement(
        "0" * 64, label, Target("onnxruntime-cpu", threads=threads), BenchPlan(), "env", "bench-1",
        (TensorSpec("x", "float32", (batch, 3)),), (tried, tried),
    )  # fmt: skip


def rows(*measurements):
    return [outcome_row(m) for m in measurements]


def test_the_knee_is_the_smallest_setting_near_the_best():
    assert knee({1: 100.0, 2: 180.0, 4: 196.0, 8: 200.0}) == 4
    assert knee({1: 100.0, 2: 94.0}) == 1
    assert knee({8: 3.0}) == 8


def test_throughput_of_streams_is_the_sum_of_theirs():
    # Two runs in 10 ns and three in 30 ns, two inferences a run: 0.4 + 0.2 a ns.
    block = Round((5, 5, 10, 10, 10), (0,) * 5, (0,) * 5, (0,) * 5, 2, None, None, (2, 3))
    tried = attempt(np.random.default_rng(0), 1e6, 1, 0.01)
    found = Measurement(
        "0" * 64, "net", Target("onnxruntime-cpu"), BenchPlan(streams=2), "env", "bench-1",
        (TensorSpec("x", "float32", (1, 3)),), (type(tried)(*replaced(tried, block)),),
    )  # fmt: skip
    assert found.throughput == pytest.approx(0.6e9)


def replaced(tried, block):
    values = [getattr(tried, name) for name in type(tried).__slots__]
    values[type(tried).__slots__.index("rounds")] = (block,)
    return values


def test_each_axis_has_a_knee_for_each_setting_of_the_others():
    points = sweeps(
        rows(
            measured(1e6, 1, 1), measured(1.2e6, 2, 1), measured(2.4e6, 4, 1),
            measured(0.6e6, 1, 2), measured(0.7e6, 2, 2), measured(0.9e6, 4, 2),
        )
    )[0]  # fmt: skip
    found = {(k.axis, k.fixed): (k.at, k.best) for k in knees(points)}
    assert found["batch", " at threads 1"][0] == 2
    assert found["batch", " at threads 2"] == (4, 4)
    assert found["threads", " at batch 4"] == (2, 2)
    assert not any(axis == "streams" for axis, _ in found)


def test_rates_count_items_of_the_batch():
    (points,) = sweeps(rows(measured(1e6, 1), measured(2e6, 4)))
    assert points[1].rate == pytest.approx(2000, rel=0.05)
    text = sweep_text(rows(measured(1e6, 1), measured(2e6, 4)))
    assert "batch: the knee is at 4" in text


def test_without_a_second_setting_there_is_no_sweep():
    assert sweep_text(rows(measured(1e6, label="a"), measured(1e6, label="b"))) == ""
