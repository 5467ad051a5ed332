"""What every runtime plug-in must keep; a new file in the folder is tested without a new test."""

import onnx
import pytest
import torch
from contract_cache import keep_environments
from onnx import TensorProto, helper
from torch import nn

from exporters.formats._format import FORMATS, TORCH_PROGRAM
from exporters.model_file import open_model
from nasprof.exporting import export, resolve
from nasprof.measuring import Sizes, converted
from profiler.bench.attempt import Setting, Work, attempt
from profiler.bench.devices import RUNTIMES, format_of, probe
from profiler.bench.reference import reference_outputs
from profiler.bench.shapes import bind_inputs
from profiler.core import plugins
from profiler.core.kernels import Recording
from profiler.core.outcome import Attempt, Failure
from profiler.core.plain import from_plain, to_plain
from profiler.core.target import BenchPlan, Target
from profiler.worker.classify import result_of
from profiler.worker.launch import Job, launch

PLAN = BenchPlan(
    processes=2,
    max_processes=4,
    rounds=2,
    round_s=0.02,
    min_samples=5,
    warmup_s=0.02,
    deadline_s=60.0,
)
BATCH = 2


@pytest.fixture(scope="module", params=plugins.names(RUNTIMES))
def runtime(request):
    found = probe(request.param)
    if not found.available:
        assert found.reason
        assert found.remedy
        pytest.skip(f"{request.param}: {found.reason}")
    return request.param


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return resolve(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()), (3, 16, 16))


@pytest.fixture(scope="module")
def batch(runtime):
    name = format_of(runtime)
    largest = None if name == TORCH_PROGRAM else plugins.load(FORMATS, name).largest_batch
    return min(BATCH, largest or BATCH)


@pytest.fixture(scope="module")
def model(network, batch, tmp_path_factory):
    path = tmp_path_factory.mktemp("contract") / "net.onnx"
    return open_model(export(network, path, batch=batch).path)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    keep_environments(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def run(model, subject, runtime, folder, threads=1, **changes):
    inputs = bind_inputs(model.inputs, {}, None)
    reference = reference_outputs(model, inputs, 0, folder, 60.0)
    target = Target(runtime, threads=threads, **changes)
    sizes = Sizes(inputs[0].shape[0])
    work = converted(Work(model, "net", target, inputs, reference), subject, sizes, 0)
    return attempt(work, Setting(PLAN, "e", "s"))


@pytest.mark.parametrize("threads", [1, 2])
def test_it_measures_what_was_asked_and_says_what_ran(runtime, model, network, tmp_path, threads):
    found = run(model, network, runtime, tmp_path, threads)
    assert isinstance(found, Attempt), found
    assert found.output_error is not None
    assert found.output_error.relative < 1e-4
    assert found.placement
    effective = dict(found.effective)
    assert str(threads) in {value for name, value in effective.items() if "thread" in name}
    assert all(len(block.wall_ns) >= PLAN.min_samples for block in found.rounds)
    assert 0 < found.base_rss_bytes <= found.peak_rss_bytes


def test_what_says_that_it_profiles_does(runtime, model, network, tmp_path):
    if not probe(runtime).profiles:
        pytest.skip(f"{runtime} has no profile by operator")
    inputs = bind_inputs(model.inputs, {}, None)
    work = converted(Work(model, "net", Target(runtime), inputs, None), network, Sizes(BATCH), 0)
    arguments = {
        "model": str(work.artifact or model.path), "target": to_plain(work.target),
        "inputs": to_plain(inputs), "seed": 0,
    }  # fmt: skip
    result, problem = result_of(launch(Job("profile", arguments)))
    assert problem is None, problem
    found = from_plain(Recording, result)
    assert any("Conv" in entry.kernel.op_type for entry in found.kernels)
    assert all(len(entry.times_ns) == len(found.profiled_ns) for entry in found.kernels)
    short, long = sorted(found.chains, key=lambda chain: chain.nodes)
    assert 0 < short.kernels_ns < long.kernels_ns


def test_it_refuses_options_and_precisions_that_it_does_not_know(runtime, model, network, tmp_path):
    for changes in ({"precision": "fp3"}, {"options": (("colour", "red"),)}):
        found = run(model, network, runtime, tmp_path, **changes)
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
    found = run(open_model(path), None, runtime, tmp_path)
    assert isinstance(found, Failure)
    assert found.kind == "unsupported"
    # What takes networks only says that; what reads or converts the file names the operator.
    assert ("torch networks" if takes_networks(runtime) else "FooBar") in found.message


def takes_networks(runtime):
    name = format_of(runtime)
    return name == TORCH_PROGRAM or plugins.load(FORMATS, name).source == TORCH_PROGRAM
