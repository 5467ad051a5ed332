"""`nasprof prune`: a file and a report, or one line and exit code 2."""

from __future__ import annotations

import json

import onnx
import pytest
from test_cli_basics import nasprof

pytest.importorskip("torch_pruning", reason='pruning needs pip install "nasprof[prune]"')

FACTORY = """
from torch import nn

def small():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )
small.input_shape = (1, 8, 8)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prune")
    (folder / "net.py").write_text(FACTORY)
    shape = [1, 1, 8, 8]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in "xy"
    ]
    relu = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([relu], "relu", ends[:1], ends[1:])
    onnx.save(onnx.helper.make_model(graph), folder / "model.onnx")
    return folder


def test_a_pruned_file_is_as_small_as_the_report_says(folder):
    done = nasprof(
        "prune", "net.py:small", "--method", "l1", "--limit", "macs<=50%", "--data", "digits",
        "--epochs", "2", "-o", "pruned.onnx", "--json", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    counted = nasprof("inspect", "pruned.onnx", "--json", cwd=folder)
    assert json.loads(counted.stdout)["macs"] == report["after"]["macs"]
    assert 0.45 < report["after"]["macs"] / report["before"]["macs"] <= 0.5


def test_the_report_lists_layers_and_figures(folder):
    done = nasprof(
        "prune", "net.py:small", "--method", "random", "--limit", "params<=60%", "--epochs", "1",
        "--fine-tune", "0", "-o", "random.onnx", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for text in (
        "layer",
        "3 ",
        "accuracy",
        "MACs 42.21 k ->",
        "parameters 2.68 k ->",
        "outputs agree",
    ):
        assert text in done.stdout, text


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["net.py:small", "--method", "l9", "--limit", "macs<=50%"], "unknown name 'l9'"),
        (["net.py:small", "--method", "l1", "--limit", "macs<=5ms"], "is not a quantity here"),
        (["net.py:small", "--method", "l1"], "l1 needs a limit"),
        (["net.py:small", "--method", "l1", "--limit", "macs<=50%", "--data", "x"], "unknown data"),
        (["model.onnx", "--method", "l1", "--limit", "macs<=50%"], "network that can be built"),
        (["net.py:small", "--method", "l1", "--limit", "macs<=1"], "macs can be cut from"),
    ],
)
def test_bad_input_is_one_line(folder, arguments, why):
    done = nasprof("prune", *arguments, "--epochs", "1", "-o", "bad.onnx", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert why in done.stderr
    assert not (folder / "bad.onnx").exists()
