"""What every format plug-in must keep; a new file in the folder is tested without a new test."""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import onnx
import pytest
import torch
from contract_cache import keep_environments
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from exporters.formats._format import FORMATS, ONNX, read_signature
from exporters.model_file import open_model
from nasprof.converting import Original, artifact_folder, to_format
from nasprof.exporting import export, resolve
from profiler.bench.devices import RUNTIMES
from profiler.bench.shapes import bind_inputs
from profiler.core import plugins
from profiler.core.errors import ModelError
from profiler.environments._environment import installed, of_format
from profiler.parity import TOLERANCES


@pytest.fixture(params=plugins.names(FORMATS))
def name(request):
    converter = plugins.load(FORMATS, request.param)
    environment = of_format(request.param)
    if environment is not None and installed(environment) is None:
        pytest.skip(f"{request.param}: the environment {environment} is not installed")
    for package in () if environment else converter.packages:
        try:
            version(package)
        except PackageNotFoundError:
            assert converter.remedy
            pytest.skip(f"{request.param}: {package} is not installed")
    return request.param


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    keep_environments(tmp_path / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def network(tmp_path, name):
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 10))
    largest = plugins.load(FORMATS, name).largest_batch
    return original(resolve(nn.Sequential(*layers), (3, 8, 8)), tmp_path, largest or 2)


def original(subject, folder, batch):
    model = open_model(export(subject, folder / "net.onnx", batch=batch).path)
    return Original(model, "net", bind_inputs(model.inputs, {}, None), subject, batch)


def old_model(folder):
    """Opset 9 with weights among its inputs: Softmax flattens, and works on ten channels."""
    weights = numpy_helper.from_array(torch.randn(10, 3, 1, 1).numpy(), "w")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"]),
            helper.make_node("Softmax", ["c"], ["y"]),
        ],
        "old",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 1, 1]),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [10, 3, 1, 1]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10, 1, 1])],
        [weights],
    )
    path = folder / "old.onnx"
    opsets = [helper.make_opsetid("", 9)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=3), path)
    return path


def test_it_converts_verifies_and_keeps(name, network):
    made = to_format(network, name)
    assert made.artifact.path.name == plugins.load(FORMATS, name).file
    assert len(made.parity) == 3
    assert max(error.relative for error in made.parity) < TOLERANCES["fp32"][0]
    assert dict(made.versions).keys() == set(plugins.load(FORMATS, name).packages)
    assert read_signature(made.artifact.path).inputs == network.inputs
    again = to_format(network, name)
    assert (again.artifact.sha256, again.parity) == (made.artifact.sha256, made.parity)
    assert again.artifact.path.stat().st_mtime_ns == made.artifact.path.stat().st_mtime_ns


def test_an_old_model_is_raised_before_it_is_converted(name, tmp_path):
    model = open_model(old_model(tmp_path))
    asked = Original(model, "old", bind_inputs(model.inputs, {}, None))
    if plugins.load(FORMATS, name).source != ONNX:
        with pytest.raises(ModelError, match="takes torch networks only"):
            to_format(asked, name)
        return
    made = to_format(asked, name)
    assert [spec.name for spec in read_signature(made.artifact.path).inputs] == ["x"]
    assert max(error.relative for error in made.parity) < TOLERANCES["fp32"][0]


def test_a_precision_that_it_does_not_have_is_refused_with_those_it_has(name, network):
    with pytest.raises(ModelError, match="it has: fp32") as caught:
        to_format(network, name, "fp3")
    assert caught.value.kind == "wrong_precision"


def test_a_batch_that_it_cannot_hold_is_refused(name, tmp_path):
    largest = plugins.load(FORMATS, name).largest_batch
    if largest is None:
        pytest.skip(f"{name} holds any batch")
    subject = resolve(nn.Sequential(nn.Conv2d(3, 4, 3)), (3, 8, 8))
    with pytest.raises(ModelError, match="no batches larger than") as caught:
        to_format(original(subject, tmp_path, largest + 1), name)
    assert caught.value.kind == "unsupported"


def test_what_cannot_be_converted_names_the_operator_and_leaves_nothing(name, tmp_path):
    path = tmp_path / "strange.onnx"
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy"]
    node = helper.make_node("FooBar", ["x"], ["y"], domain="my.domain")
    graph = helper.make_graph([node], "strange", value[:1], value[1:])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("my.domain", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    model = open_model(path)
    with pytest.raises(ModelError) as caught:
        to_format(Original(model, "strange", bind_inputs(model.inputs, {}, None)), name)
    assert caught.value.kind == "unsupported"
    assert "FooBar" in str(caught.value) or "torch networks" in str(caught.value)
    assert not artifact_folder().exists() or list(artifact_folder().iterdir()) == []


def test_it_is_verified_on_a_runtime_that_exists(name):
    converter = plugins.load(FORMATS, name)
    assert converter.runtime in plugins.names(RUNTIMES)
    assert "fp32" in converter.precisions


def test_importing_its_file_imports_no_library(name):
    code = (
        "import sys, json; from profiler.core import plugins\n"
        f"packages = plugins.load({FORMATS!r}, {name!r}).packages\n"
        "print(json.dumps([p for p in packages if p.replace('-', '_') in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
