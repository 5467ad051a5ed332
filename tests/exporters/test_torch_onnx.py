from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from export_nets import IMAGE, ROW, Branching, ConvNet, Feeds, run_file, verify
from torch import nn

from exporters.model_file import open_model
from exporters.options import ExportOptions
from exporters.torch_onnx import export_module
from profiler.core.errors import InputError
from profiler.core.outcome import OutputError
from profiler.core.tensor import TensorSpec

TRACING = ExportOptions(exporter="torchscript")


def wrong_bias(times: int) -> Callable[[Path, Feeds, Feeds], list[OutputError]]:
    """A comparison before which the first files get a slightly wrong bias."""
    left = [times]

    def spoiled(path: Path, feeds: Feeds, expected: Feeds) -> list[OutputError]:
        if left[0] > 0:
            left[0] -= 1
            model = onnx.load(path)
            bias = next(t for t in model.graph.initializer if list(t.dims) == [5])
            values = onnx.numpy_helper.to_array(bias) + np.float32(0.01)
            bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
            onnx.save(model, path)
        return verify(path, feeds, expected)

    return spoiled


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_holds_shapes_metadata_and_the_modules_outputs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "net.onnx"
    options = replace(TRACING, labels=(("nasprof.subject", "test:net"),))
    record = export_module(ConvNet(), IMAGE, path, options, verify)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert files(tmp_path) == ["net.onnx"]
    inner = {out for node in model.graph.node for out in node.output} - {"output"}
    assert inner <= {info.name for info in model.graph.value_info}
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["nasprof.subject"] == "test:net"
    assert facts["nasprof.params"] == str(sum(p.numel() for p in ConvNet().parameters()))
    assert json.loads(facts["nasprof.inputs"])[0]["shape"] == [1, 3, 8, 8]
    assert len(json.loads(facts["nasprof.parity"])) == 3
    assert {c.seed for c in record.parity} == {0, 1, 2}
    assert max(check.relative for check in record.parity) < 1e-5


def test_a_wrong_bias_is_found_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"differ by .* of their scale .* seed . ?, batch 1"):
        export_module(ConvNet(), IMAGE, tmp_path / "net.onnx", TRACING, wrong_bias(1))
    assert files(tmp_path) == []


def test_the_ladder_goes_on_and_keeps_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    record = export_module(ConvNet(), IMAGE, path, ExportOptions(), wrong_bias(1))
    assert record.exporter == "dynamo"
    assert any(s.startswith("torchscript: the outputs differ by") for s in record.steps)
    assert record.steps[-1] == "dynamo: exported and verified"
    assert dict(open_model(path).opsets) == {"": 18}
    text = path.read_bytes()
    assert b"stack_trace" not in text
    assert str(Path(__file__).parent).encode() not in text


@pytest.mark.parametrize("opset", [9, 13, 18, 23])
def test_the_opset_asked_for_is_the_opset_written(tmp_path: Path, opset: int) -> None:
    path = tmp_path / "net.onnx"
    record = export_module(ConvNet(), IMAGE, path, replace(TRACING, opset=opset), verify)
    assert dict(open_model(path).opsets) == {"": opset}
    assert record.opset == opset


@pytest.mark.parametrize(
    ("exporter", "opset", "says"),
    [
        ("auto", 99, "torchscript writes 9 to 23, dynamo writes 18 to"),
        ("dynamo", 17, "opset 17 cannot be written; dynamo writes 18 to"),
        ("torchscript", 24, "opset 24 cannot be written; torchscript writes 9 to 23"),
        ("magic", 18, "unknown exporter 'magic'; there are: auto, torchscript, dynamo"),
    ],
)
def test_what_no_exporter_can_do_is_refused_before_any_work(
    tmp_path: Path, exporter: str, opset: int, says: str
) -> None:
    options = ExportOptions(exporter=exporter, opset=opset)
    with pytest.raises(InputError, match=says):
        export_module(nn.Identity(), IMAGE, tmp_path / "net.onnx", options, verify)


def test_a_dynamic_batch_is_compared_at_two_sizes(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    record = export_module(ConvNet(), IMAGE, path, replace(TRACING, dynamic_batch=True), verify)
    assert {check.batch for check in record.parity} == {1, 3}
    opened = open_model(path)
    assert opened.inputs[0].shape == ("batch", 3, 8, 8)
    assert opened.outputs[0].shape == ("batch", 5)
    (outputs,) = run_file(path, [{"input": np.zeros((7, 3, 8, 8), np.float32)}])
    assert outputs["output"].shape == (7, 5)


def test_a_batch_frozen_by_the_trace_is_found(tmp_path: Path) -> None:
    class Frozen(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.arange(float(int(x.shape[0])))[:, None]

    options = replace(TRACING, dynamic_batch=True)
    with pytest.raises(InputError, match="torchscript: "):
        export_module(Frozen(), ROW, tmp_path / "net.onnx", options, verify)
    assert files(tmp_path) == []


@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
def test_control_flow_on_values_is_never_frozen(tmp_path: Path, exporter: str) -> None:
    options = ExportOptions(exporter=exporter)
    with pytest.raises(InputError, match=exporter) as caught:
        export_module(Branching(), ROW, tmp_path / "net.onnx", options, verify)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == []


def test_a_module_that_answers_at_random_is_refused_with_the_reason(tmp_path: Path) -> None:
    class Noise(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.rand_like(x)

    with pytest.raises(InputError, match="other outputs each time for the same input"):
        export_module(Noise(), ROW, tmp_path / "net.onnx", TRACING, verify)


def test_rounding_that_the_module_amplifies_is_explained_not_refused(tmp_path: Path) -> None:
    class Cancelling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(512, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            big: torch.Tensor = self.linear(x + 1000.0)
            return big - self.linear(torch.full_like(x, 1000.0))

    torch.manual_seed(1)
    wide = (TensorSpec("input", "float32", (1, 512)),)
    record = export_module(Cancelling(), wide, tmp_path / "net.onnx", TRACING, verify)
    assert max(check.relative for check in record.parity) > 1e-4
    assert any("rounding to float32 alone" in step for step in record.steps)


def test_what_cannot_be_exported_names_the_reason_of_each_exporter(tmp_path: Path) -> None:
    class Singular(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svd(x)[1]

    with pytest.raises(InputError, match=r"torchscript: .*svd.*; dynamo: .*svd") as caught:
        export_module(Singular(), IMAGE, tmp_path / "net.onnx", ExportOptions(), verify)
    assert "\n" not in str(caught.value)


def test_same_seed_same_bytes_other_seed_other_statistics(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = ConvNet()
    written: list[bytes] = []
    for seed in (0, 0, 1):
        path = tmp_path / f"{len(written)}.onnx"
        export_module(net, IMAGE, path, replace(TRACING, seed=seed), verify)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert written[0] != written[2]


def test_the_module_and_the_random_state_stay_as_they_were(tmp_path: Path) -> None:
    net = ConvNet().train()
    net.first.register_buffer("pruned", (net.first.weight * 1.0))  # computed: refuses deep copies
    before = {key: value.clone() for key, value in net.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    export_module(net, IMAGE, tmp_path / "net.onnx", TRACING, verify)
    assert torch.equal(torch.rand(3), expected)
    assert net.training
    assert net.last.training
    after = net.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert net.norm.momentum == 0.1


def test_outputs_get_plain_names(tmp_path: Path) -> None:
    class Several(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, Any]:
            return {"double": 2 * x, "nothing": None, "deep": (x + 1, [x - 1])}

    record = export_module(Several(), ROW, tmp_path / "net.onnx", TRACING, verify)
    assert record.outputs == ("output_0", "output_1", "output_2")

    class Named(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"double": 2 * x, "input": x + 1}

    record = export_module(Named(), ROW, tmp_path / "named.onnx", TRACING, verify)
    assert record.outputs == ("double", "output_input")


def test_a_module_that_returns_no_tensor_is_refused(tmp_path: Path) -> None:
    class Text(nn.Module):
        def forward(self, x: torch.Tensor) -> str:
            return "a"

    with pytest.raises(InputError, match="returns str; only tensors"):
        export_module(Text(), ROW, tmp_path / "net.onnx", TRACING, verify)


def test_a_module_that_does_not_run_names_the_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not run on input \[1, 6\]: RuntimeError"):
        export_module(nn.Linear(5, 2), ROW, tmp_path / "net.onnx", TRACING, verify)


def test_integer_inputs_stay_below_every_embedding(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 2))
    tokens = (TensorSpec("tokens", "int64", (1, 5)),)
    record = export_module(net, tokens, tmp_path / "net.onnx", TRACING, verify)
    assert record.inputs[0].dtype == "int64"


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    class Chatty(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            os.write(1, b"from the module")
            sys.stderr.write("more")
            warnings.warn("a warning", stacklevel=1)
            return x * torch.tensor(x.shape[0])  # a TracerWarning

    export_module(Chatty(), ROW, tmp_path / "net.onnx", TRACING, verify)
    with pytest.raises(InputError):
        export_module(Branching(), ROW, tmp_path / "no.onnx", ExportOptions(), verify)
    assert capfd.readouterr() == ("", "")


def test_an_output_that_ignores_the_input_is_mentioned(tmp_path: Path) -> None:
    class Constant(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0.0

    record = export_module(Constant(), ROW, tmp_path / "net.onnx", TRACING, verify)
    assert any("do not depend on the inputs" in step for step in record.steps)
