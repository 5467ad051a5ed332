from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from exporters.meta_trace import trace_module
from profiler.core.errors import InputError
from profiler.cost.choose import convention_names
from profiler.cost.count import count_file
from profiler.cost.explain import Difference, explain
from profiler.cost.traced import count_trace

FLOAT = TensorProto.FLOAT
node, info = helper.make_node, helper.make_tensor_value_info
# x [1, 4, 6, 6] -> conv [1, 8, 6, 6] -> norm -> relu -> pool [1, 8, 1, 1] -> linear [1, 5]
CONV, PIXELS, LINEAR = 8 * 36 * 4 * 9, 8 * 36, 8 * 5


@pytest.fixture
def network(tmp_path: Path) -> Path:
    nodes = [
        node("Conv", ["x", "w"], ["a"], pads=[1] * 4),
        node("BatchNormalization", ["a", "s", "s", "s", "s"], ["b"]),
        node("Relu", ["b"], ["c"]),
        node("GlobalAveragePool", ["c"], ["d"]),
        node("Flatten", ["d"], ["e"]),
        node("Gemm", ["e", "v", "u"], ["y"], transB=1),
    ]
    return save(tmp_path, nodes, {"w": (8, 4, 3, 3), "s": (8,), "v": (5, 8), "u": (5,)})


def save(folder: Path, nodes: list[onnx.NodeProto], weights: dict[str, tuple[int, ...]]) -> Path:
    rng = np.random.default_rng(0)
    tensors = [
        numpy_helper.from_array(rng.random(s, np.float32), name) for name, s in weights.items()
    ]
    graph = helper.make_graph(
        nodes, "g", [info("x", FLOAT, [1, 4, 6, 6])], [info("y", FLOAT, None)], tensors
    )
    path = folder / "m.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("nasprof", CONV + LINEAR),
        ("torch", 2 * (CONV + LINEAR)),
        ("fvcore", CONV + 2 * PIXELS + PIXELS + LINEAR),
        ("fvcore-fused", CONV + 2 * PIXELS + PIXELS + LINEAR),
        ("thop", CONV + 4 * PIXELS + (PIXELS + 8) + LINEAR),
        # Normalisation 31, comparison 1, pooling 1 and a division of 4; the linear bias.
        ("onnx-tool", CONV + 31 * PIXELS + PIXELS + (PIXELS + 4 * 8) + LINEAR + 5),
        ("nasbench201", CONV + LINEAR + 5),
        ("nasbench-mr", CONV + 2 * PIXELS + LINEAR + 5),
    ],
)
def test_figures_by_hand(network: Path, name: str, figure: int) -> None:
    cost = count_file(network, convention=name)
    assert (cost.convention, cost.figure) == (name, figure)
    assert cost.macs == CONV + LINEAR
    rows = explain(network, name)
    assert sum(row.figure or 0 for row in rows) == figure
    assert sum(row.macs or 0 for row in rows) == CONV + LINEAR


def test_every_convention_is_tested_and_says_what_it_is() -> None:
    assert set(convention_names()) == {
        "nasprof", "torch", "fvcore", "fvcore-fused", "thop", "onnx-tool", "nasbench201",
        "nasbench-mr",
    }  # fmt: skip


def test_an_unknown_convention_is_refused_with_the_known_ones(network: Path) -> None:
    with pytest.raises(InputError, match="fvcore"):
        count_file(network, convention="flopco")


def test_explain_gives_the_largest_difference_first_and_its_reason(network: Path) -> None:
    rows = explain(network, "fvcore")
    assert [row.op_type for row in rows] == [
        "BatchNormalization", "GlobalAveragePool", "Conv", "Gemm",
    ]  # fmt: skip
    assert rows[0] == Difference(
        "BatchNormalization", 1, 0, 2 * PIXELS, "two operations an element"
    )
    assert rows[0].difference == 2 * PIXELS
    assert rows[2].reason == ""


def test_a_normalisation_folded_into_a_convolution_is_charged_by_its_bias(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w", "s"], ["a"], pads=[1] * 4),
        node("Relu", ["a"], ["b"]),
        node("GlobalAveragePool", ["b"], ["c"]),
        node("Conv", ["c", "v", "u"], ["d"]),
        node("Flatten", ["d"], ["y"]),
    ]
    weights = {"w": (8, 4, 3, 3), "s": (8,), "v": (5, 8, 1, 1), "u": (5,)}
    path = save(tmp_path, nodes, weights)
    cost = count_file(path, convention="nasbench-mr")
    assert cost.figure == CONV + 2 * PIXELS + LINEAR + 5


def test_thop_does_not_see_products_of_activations(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 1, 3, 2]),
        node("MatMul", ["x", "t"], ["a"]),
        node("MatMul", ["a", "w"], ["y"]),
    ]
    path = save(tmp_path, nodes, {"w": (6, 7)})
    cost = count_file(path, convention="thop")
    assert (cost.macs, cost.figure) == (4 * 36 * 6 + 4 * 36 * 7, 4 * 36 * 7)


def test_thop_counts_transposed_convolutions_from_the_output(tmp_path: Path) -> None:
    path = save(
        tmp_path, [node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])], {"w": (4, 8, 2, 2)}
    )
    cost = count_file(path, convention="thop")
    assert cost.macs == 4 * 36 * 8 * 4
    assert cost.figure == 4 * cost.macs


class OwnNorm(nn.BatchNorm2d):
    """Derived from a layer of torch, as libraries like to."""


@pytest.mark.parametrize(
    ("layer", "shape", "figure"),
    [
        (lambda: nn.BatchNorm2d(4), (1, 4, 6, 6), 4 * 144),
        (lambda: nn.BatchNorm2d(4, affine=False), (1, 4, 6, 6), 2 * 144),
        (lambda: OwnNorm(4), (1, 4, 6, 6), 0),
        (lambda: nn.AdaptiveAvgPool2d(1), (1, 4, 6, 6), 144 + 4),
        (lambda: nn.Softmax(-1), (2, 5), 2 * (3 * 5 - 1)),
        (lambda: nn.PReLU(), (1, 4, 6, 6), 144),
    ],
)
def test_thop_knows_layers_by_their_class(
    layer: Callable[[], nn.Module], shape: tuple[int, ...], figure: int
) -> None:
    """Worked out from the formulas of thop's own source."""
    trace = trace_module(nn.Sequential(layer()), [torch.empty(shape)])
    assert count_trace(trace, "thop").figure == figure


def test_fvcore_does_not_see_attention_that_is_one_operator() -> None:
    class Attention(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.nn.functional.scaled_dot_product_attention(x, x, x)
            return y @ y.transpose(-1, -2)

    trace = trace_module(Attention(), [torch.empty(1, 8, 49, 32)])
    product = 8 * 49 * 49 * 32
    assert count_trace(trace, "fvcore").figure == 3 * product
    assert count_trace(trace, "fvcore-fused").figure == product
