"""A model optimised before its runtime gets it: verified, and measured as another target."""

import json

import pytest
import torch
from torch import nn

import nasprof
from nasprof.converting import artifact_folder
from nasprof.optimizing import crossed
from nasprof.testing import PLAN
from profiler.core.errors import InputError
from profiler.core.outcome import Failure, Measurement

SHAPE = (3, 16, 16)


@pytest.fixture(autouse=True)
def short(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("nasprof.api._plan", lambda *_: PLAN)


@pytest.fixture
def net():
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GELU(), nn.Flatten(), nn.Linear(1568, 10))
    return nn.Sequential(*layers)


def test_each_level_is_a_target_of_its_own_with_the_same_outputs(net, tmp_path):
    found = nasprof.bench_all(
        [net], ["onnxruntime-cpu", "onnxruntime-cpu/fp16"], input_shape=SHAPE,
        optimize=["none", "ort-basic", "ort-extended"], store=tmp_path / "store.db",
    )  # fmt: skip
    assert all(isinstance(each, Measurement) for each in found)
    assert [each.target.key for each in found[:3]] == [
        "onnxruntime-cpu/fp32/1t",
        "onnxruntime-cpu/fp32/1t/optimize=ort-basic",
        "onnxruntime-cpu/fp32/1t/optimize=ort-extended",
    ]
    assert max(each.output_error.relative for each in found[:3]) < 1e-5
    assert len({each.model_sha256 for each in found}) == 1
    sums = [
        json.loads(file.read_text())["sha256"] for file in artifact_folder().rglob("entry.json")
    ]
    assert len(set(sums)) == len(sums) == 5  # two graphs, and fp16 of each and of the original


def test_what_is_made_of_the_network_itself_is_a_failure_that_says_so(net, tmp_path):
    (found,) = nasprof.bench_all(
        [net], ["torch-cpu"], input_shape=SHAPE, optimize=["ort-basic"],
        store=tmp_path / "store.db",
    )  # fmt: skip
    assert isinstance(found, Failure)
    assert found.kind == "unsupported"
    assert "takes the torch network" in found.message


def test_a_bundle_says_what_became_of_the_graph(net, tmp_path):
    done = nasprof.export_to(
        net, ["onnx"], tmp_path / "out", optimize="ort-basic", input_shape=SHAPE
    )
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())["optimization"]
    assert told["level"] == "ort-basic"
    assert told["nodes_after"] < told["nodes_before"]
    assert len(told["parity"]) == 3
    assert done.lines()[0].startswith(f"graph by ort-basic: {told['nodes_before']} nodes to ")
    assert done.parts[0].files[0].sha256 == told["sha256"]


def test_targets_are_crossed_with_levels_and_one_with_its_own_keeps_it():
    assert crossed(["a-cpu/2t", "b-cpu/optimize=onnxslim"], ["none", "ort-basic"]) == [
        "a-cpu/2t", "a-cpu/2t/optimize=ort-basic", "b-cpu/optimize=onnxslim",
    ]  # fmt: skip
    with pytest.raises(InputError, match="ort-all"):
        crossed(["a-cpu"], ["ort-all"])
