import threading
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from profiler.core.target import BenchPlan, Target
from profiler.runtimes.onnxruntime_cpu import PLUGIN
from profiler.worker.feeds import make_feeds
from profiler.worker.streams import instances, take_parallel_round

PLAN = BenchPlan(round_s=0.02, min_samples=8)
NEVER = 2**62


@pytest.fixture
def small_model(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "add",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
    )
    path = tmp_path / "add.onnx"
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
    return path


def test_streams_run_at_once():
    # Each passes its first run only with all three inside one.
    here = threading.Barrier(3)

    def stream():
        first = iter([lambda: here.wait(timeout=30)])
        return lambda: next(first, lambda: None)()

    taken = take_parallel_round([stream(), stream(), stream()], PLAN, 1, 0)
    assert len(taken.stream_samples) == 3
    assert min(taken.stream_samples) >= 3


def test_samples_of_every_stream_are_kept_one_stream_after_the_other():
    def takes(seconds):
        return lambda: time.sleep(seconds)

    taken = take_parallel_round(
        [takes(0.001), takes(0.02)], PLAN, 1, time.perf_counter_ns() + 10**11
    )
    fast, slow = taken.stream_samples
    assert slow >= 4
    assert fast > slow
    assert len(taken.wall_ns) == len(taken.cpu_ns) == len(taken.switches) == fast + slow
    assert min(taken.wall_ns[fast:]) >= 20_000_000
    assert np.median(taken.wall_ns[:fast]) < 20_000_000


def test_a_stream_that_fails_ends_the_round_with_its_error():
    def fail():
        raise RuntimeError("out of streams")

    with pytest.raises(RuntimeError, match="out of streams"):
        take_parallel_round([lambda: None, fail], PLAN, 1, NEVER)


def test_runs_in_a_sample_are_counted():
    calls = []
    taken = take_parallel_round([lambda: calls.append(0)] * 2, PLAN, 10, 0)
    assert len(calls) == 10 * len(taken.wall_ns)
    assert taken.runs_per_sample == 10


def test_onnxruntime_shares_one_session_and_each_stream_has_outputs_of_its_own(small_model):
    loads = []

    def load():
        loads.append(0)
        return PLUGIN.load(small_model, Target("onnxruntime-cpu"))

    sessions = instances(load(), 3, load)
    assert len(loads) == 1
    outputs = []
    for seed, session in enumerate(sessions):
        session.bind(make_feeds(session.inputs, seed))()
    outputs = [next(iter(session.outputs().values())) for session in sessions]
    assert not np.array_equal(outputs[0], outputs[1])
    assert not np.array_equal(outputs[1], outputs[2])


def test_a_runtime_that_shares_nothing_loads_each_instance():
    loads = []
    sessions = instances("first", 3, lambda: loads.append(0) or f"load {len(loads)}")
    assert sessions == ["first", "load 1", "load 2"]
