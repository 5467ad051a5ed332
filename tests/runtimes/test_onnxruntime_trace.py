"""Traces as ONNX Runtime writes them, and the graphs that it really runs."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters.model_file import open_model, read_structure
from nasprof.exporting import export, resolve
from profiler.core.errors import ModelError
from profiler.core.kernels import Kernel
from profiler.core.target import Target
from profiler.cost.achieved import missing_macs, work_of
from profiler.cost.count import count_file
from profiler.cost.roofline import Peaks
from profiler.runtimes._onnxruntime_trace import OrtRecorder, join, split_runs
from profiler.worker.feeds import make_feeds

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def event(name, ts, dur, index=0, op="Add"):
    arguments = {"op_name": op, "node_index": str(index)}
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": dur, "args": arguments}


END = {"cat": "Session", "name": "model_run", "ts": 0, "dur": 9, "args": {}}


def test_only_inferences_that_ended_are_runs():
    loading = {"cat": "Session", "name": "session_initialization", "ts": 0, "dur": 9, "args": {}}
    runs = split_runs([loading, event("a", 1, 2), END, event("a", 20, 3), END, event("a", 40, 9)])
    assert [[e["dur"] for e in run] for run in runs] == [[2], [3]]


def test_a_loop_is_left_without_its_body():
    """Two turns of a body of 3 us and 4 us in a loop of 20 us, then a node of no length."""
    run = [
        event("before", 90, 5, 0),
        event("body", 101, 3, 0),
        event("body", 106, 4, 0),
        event("loop", 100, 20, 1, "Loop"),
        event("after", 121, 0, 2),
    ]
    found = {entry.kernel.name: entry for entry in join([run], [])}
    assert found["before"].times_ns == (5_000,)
    assert (found["body"].times_ns, found["body"].calls) == ((7_000,), 2.0)
    assert (found["loop"].times_ns, found["loop"].inner) == ((13_000,), 2.0)
    assert found["after"].times_ns == (0,)


def test_events_find_their_nodes_by_name_or_in_order():
    kernels = [
        Kernel("", "Add", ("x",), ("a",)),
        Kernel("same", "Mul", ("a",), ("b",)),
        Kernel("same", "Mul", ("b",), ("c",)),
        Kernel("", "Add", ("c",), ("d",)),
    ]
    run = [
        event("Add_4", 1, 1, 4),
        event("same", 2, 1, 5, "Mul"),
        event("same", 3, 1, 6, "Mul"),
        event("Add_9", 4, 1, 9),
        event("put_in_3", 5, 1, 11, "Cast"),
    ]
    found = [entry.kernel for entry in join([run, run], kernels)]
    assert found == [*kernels, Kernel("put_in_3", "Cast")]


def record(path, folder, runs=3):
    recorder = OrtRecorder(path, Target("onnxruntime-cpu"), "CPUExecutionProvider", "cpu", folder)
    call = recorder.session.bind(make_feeds(open_model(path).inputs, 0))
    for _ in range(runs):
        call()
    return recorder, recorder.stop(range(1, runs))


def light_models():
    return [pytest.param(path, id=path.stem) for path in sorted(LIGHT.glob("*.onnx"))]


@pytest.mark.parametrize("path", light_models())
def test_every_mac_of_a_light_model_is_in_one_kernel(path, tmp_path):
    check_covered(path, tmp_path)


@pytest.mark.parametrize("reference", ["reference:mobilenet_v2", "reference:vit_tiny"])
def test_every_mac_of_an_export_is_in_one_kernel(reference, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = export(resolve(reference, None), tmp_path / "net.onnx").path
    works = check_covered(path, tmp_path)
    busy = [work for work in works if work.macs]
    assert all(work.module for work in busy)


def check_covered(path, folder):
    recorder, found = record(path, folder)
    assert len(found) == recorder.nodes
    assert all(len(entry.times_ns) == 2 for entry in found)
    graph, cost = read_structure(path).graph, count_file(path, {})
    works = work_of(graph, cost, [entry.kernel for entry in found], Peaks({"float32": 1e9}, 1e9))
    assert sum(work.macs for work in works) == cost.macs - cost.constant_macs > 0
    assert missing_macs(cost, works) == 0
    # The work is where it is done and not in the copies around it.
    assert all(
        work.kernel.op_type not in ("Reshape", "ReorderOutput") for work in works if work.macs
    )
    names = [name for work in works for name in work.sources]
    assert len(names) == len(set(names))
    assert all(work.bound_ns >= 0 for work in works if work.sources and work.bytes is not None)
    return works


def loop_model(path):
    """Three turns of y = y x weight."""
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["y_in", "weight"], ["y_out"], name="product"),
            helper.make_node("Identity", ["go_in"], ["go_out"], name="go"),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y_in", TensorProto.FLOAT, [64, 64]),
        ],
        [
            helper.make_tensor_value_info("go_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y_out", TensorProto.FLOAT, [64, 64]),
        ],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["turns", "", "x"], ["y"], name="loop", body=body)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [64, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [64, 64])],
        [
            numpy_helper.from_array(np.array(3, np.int64), "turns"),
            numpy_helper.from_array(np.eye(64, dtype=np.float32), "weight"),
        ],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def test_the_body_of_a_loop_is_counted_in_its_own_kernels(tmp_path):
    path = tmp_path / "loop.onnx"
    loop_model(path)
    _, found = record(path, tmp_path)
    by_type = {entry.kernel.op_type: entry for entry in found}
    assert by_type["MatMul"].calls == 3
    assert by_type["Loop"].calls == 1
    assert by_type["Loop"].inner >= 1
    graph, cost = read_structure(path).graph, count_file(path, {})
    works = work_of(graph, cost, [entry.kernel for entry in found], None)
    macs = {work.kernel.op_type: work.macs for work in works}
    assert macs["MatMul"] == cost.macs == 3 * 64**3


def test_a_trace_that_lacks_runs_is_refused(tmp_path):
    path = tmp_path / "loop.onnx"
    loop_model(path)
    recorder = OrtRecorder(path, Target("onnxruntime-cpu"), "CPUExecutionProvider", "cpu", tmp_path)
    recorder.session.bind(make_feeds(open_model(path).inputs, 0))()
    with pytest.raises(ModelError, match="recorded 1 of 5"):
        recorder.stop([4])
