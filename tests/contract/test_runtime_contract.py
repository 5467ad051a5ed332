"""What every runtime plug-in must keep; a new file in the folder is tested without a new test."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters.model_file import open_model
from profiler.bench.attempt import Setting, Work, attempt
from profiler.bench.devices import RUNTIMES, probe
from profiler.bench.reference import reference_outputs
from profiler.bench.shapes import bind_inputs
from profiler.core import plugins
from profiler.core.outcome import Attempt, Failure
from profiler.core.target import BenchPlan, Target

PLAN = BenchPlan(rounds=2, round_s=0.02, min_samples=5, warmup_s=0.02, deadline_s=60.0)


@pytest.fixture(scope="module", params=plugins.names(RUNTIMES))
def runtime(request):
    found = probe(request.param)
    if not found.available:
        assert found.reason
        assert found.remedy
        pytest.skip(f"{request.param}: {found.reason}")
    return request.param


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("contract") / "net.onnx"
    weight = np.random.default_rng(0).standard_normal((8, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["y"]),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 8, 16, 16])],
        [numpy_helper.from_array(weight, "w")],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return open_model(path)


def run(model, runtime, folder, threads=1, batch=2, **changes):
    inputs = bind_inputs(model.inputs, {}, batch)
    reference = reference_outputs(model, inputs, 0, folder, 60.0)
    target = Target(runtime, threads=threads, **changes)
    return attempt(Work(model, "net", target, inputs, reference), Setting(PLAN, "e", "s"))


@pytest.mark.parametrize("threads", [1, 2])
def test_it_measures_what_was_asked_and_says_what_ran(runtime, model, tmp_path, threads):
    found = run(model, runtime, tmp_path, threads)
    assert isinstance(found, Attempt), found
    assert found.output_error is not None
    assert found.output_error.relative < 1e-4
    assert found.placement
    effective = dict(found.effective)
    assert str(threads) in {value for name, value in effective.items() if "thread" in name}
    assert all(len(block.wall_ns) >= PLAN.min_samples for block in found.rounds)
    assert 0 < found.base_rss_bytes <= found.peak_rss_bytes


def test_it_refuses_options_and_precisions_that_it_does_not_know(runtime, model, tmp_path):
    for changes in ({"precision": "fp3"}, {"options": (("colour", "red"),)}):
        found = run(model, runtime, tmp_path, **changes)
        assert isinstance(found, Failure), changes


def test_a_model_that_it_cannot_run_is_a_failure_that_names_the_operator(runtime, tmp_path):
    path = tmp_path / "strange.onnx"
    graph = helper.make_graph(
        [helper.make_node("FooBar", ["x"], ["y"], domain="my.domain")],
        "strange",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("my.domain", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    found = run(open_model(path), runtime, tmp_path, batch=None)
    assert isinstance(found, Failure)
    assert "FooBar" in found.message
    assert found.kind == "unsupported"
