from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.core.cost import GraphCost
from profiler.cost.count import count_file

FLOAT = TensorProto.FLOAT
Dims = Sequence[int | str]


def count(
    tmp_path: Path,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, Dims],
    weights: dict[str, Dims],
    dims: dict[str, int] | None = None,
    opset: int = 23,
) -> GraphCost:
    rng = np.random.default_rng(0)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        [
            numpy_helper.from_array(rng.random(tuple(map(int, s)), np.float32), name)
            for name, s in weights.items()
        ],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 10
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return count_file(path, dims or {})


def conv(**attributes: object) -> list[onnx.NodeProto]:
    return [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1], **attributes)]


IMAGE: dict[str, Dims] = {"x": [1, 16, 28, 28]}
node = helper.make_node


# The MACs of the specification's unit cases, each worked out by hand.
@pytest.mark.parametrize(
    ("nodes", "inputs", "weights", "macs"),
    [
        pytest.param(conv(), IMAGE, {"w": [32, 16, 3, 3]}, 3_612_672, id="conv"),
        pytest.param(
            [node("Conv", ["x", "w", "b"], ["y"], pads=[1] * 4)],
            IMAGE, {"w": [32, 16, 3, 3], "b": [32]}, 3_612_672, id="conv with bias",
        ),
        pytest.param(conv(group=4), IMAGE, {"w": [32, 4, 3, 3]}, 903_168, id="four groups"),
        pytest.param(conv(group=16), IMAGE, {"w": [16, 1, 3, 3]}, 112_896, id="depthwise"),
        pytest.param(
            [node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], pads=[1] * 4)],
            IMAGE, {"w": [16, 8, 4, 4]}, 1_605_632, id="transposed",
        ),
        pytest.param(
            [node("MatMul", ["x", "w"], ["y"])],
            {"x": [1, 196, 64]}, {"w": [64, 128]}, 1_605_632, id="linear on tokens",
        ),
        pytest.param(
            [node("MatMul", ["x", "z"], ["y"])],
            {"x": [1, 8, 49, 32], "z": [1, 8, 32, 49]}, {}, 614_656, id="a @ b",
        ),
        pytest.param(
            [node("Attention", ["x", "x", "x"], ["y"])],
            {"x": [1, 8, 49, 32]}, {}, 1_229_312, id="attention",
        ),
        pytest.param(
            [node("LSTM", ["x", "w", "r"], ["y"], hidden_size=64)],
            {"x": [10, 1, 64]}, {"w": [1, 256, 64], "r": [1, 256, 64]}, 327_680, id="lstm",
        ),
        pytest.param(
            [node("Einsum", ["x", "z"], ["y"], equation="bhid,bhjd->bhij")],
            {"x": [1, 8, 49, 32], "z": [1, 8, 49, 32]}, {}, 614_656, id="einsum",
        ),
        pytest.param(
            [node("Gemm", ["x", "w"], ["y"], transB=1)],
            {"x": [4, 64]}, {"w": [10, 64]}, 2_560, id="gemm",
        ),
    ],
)  # fmt: skip
def test_macs_are_exact(
    tmp_path: Path,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, Dims],
    weights: dict[str, Dims],
    macs: int,
) -> None:
    cost = count(tmp_path, nodes, inputs, weights)
    assert cost.macs == macs
    assert cost.complete


@pytest.mark.parametrize(
    ("op_type", "flops"),
    [
        ("Relu", 1), ("Sigmoid", 4), ("Exp", 1), ("Erf", 1), ("Tanh", 1), ("Sqrt", 1),
        ("Softmax", 5), ("HardSwish", 5), ("Softplus", 3),
    ],
)  # fmt: skip
def test_activations_cost_flops_and_no_macs(tmp_path: Path, op_type: str, flops: int) -> None:
    cost = count(tmp_path, [node(op_type, ["x"], ["y"])], {"x": [3, 7]}, {})
    assert (cost.macs, cost.flops) == (0, 21 * flops)


def test_normalisation_and_bias_are_flops(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1] * 4),
        node("BatchNormalization", ["c", "b", "b", "b", "b"], ["y"]),
    ]
    cost = count(tmp_path, nodes, IMAGE, {"w": [32, 16, 3, 3], "b": [32]})
    outputs = 32 * 28 * 28
    assert cost.flops == 2 * 3_612_672 + outputs + 2 * outputs
    assert [(op.op_type, op.macs) for op in cost.by_op] == [
        ("Conv", 3_612_672),
        ("BatchNormalization", 0),
    ]


def test_bytes_parameters_and_memory(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"], ["a"]), node("MatMul", ["a", "w"], ["y"])]
    cost = count(tmp_path, nodes, {"x": [2, 8]}, {"w": [8, 4]})
    assert cost.params == 32
    assert cost.weight_bytes == 128
    assert [n.bytes_read for n in cost.nodes] == [64, 64 + 128]
    assert [n.bytes_written for n in cost.nodes] == [64, 32]
    assert cost.peak_activation_bytes == 128
    assert cost.peak_in_place_bytes == 96


def test_a_symbol_without_a_size_is_named_and_its_nodes_are_unknown(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("Reshape", ["a", "s"], ["y"])]
    nodes.insert(0, node("Constant", [], ["s"], value_ints=[0, 2, -1]))
    cost = count(tmp_path, nodes, {"x": ["batch", 8]}, {"w": [8, 4]})
    assert cost.symbols == ("batch",)
    assert not cost.complete
    assert len(cost.unknown) == 1
    bound = count(tmp_path, nodes, {"x": ["batch", 8]}, {"w": [8, 4]}, {"batch": 6})
    assert (bound.macs, bound.symbols, bound.dims) == (6 * 8 * 4, (), (("batch", 6),))
    assert bound.complete


def test_an_operator_without_a_rule_is_named_with_its_number(tmp_path: Path) -> None:
    nodes = [
        node("Strange", ["x"], ["a"], domain="own"),
        node("Strange", ["a"], ["b"], domain="own"),
        node("Relu", ["x"], ["y"]),
    ]
    cost = count(tmp_path, nodes, {"x": [4]}, {})
    assert cost.uncounted == (("own.Strange", 2),)
    assert cost.flops == 4


def test_equal_weights_count_once(tmp_path: Path) -> None:
    zeros = [numpy_helper.from_array(np.zeros((64, 64), np.float32), name) for name in ("a", "b")]
    other = numpy_helper.from_array(np.ones((64, 64), np.float32), "c")
    graph = helper.make_graph(
        [
            node("MatMul", ["x", "a"], ["1"]),
            node("MatMul", ["1", "b"], ["2"]),
            node("MatMul", ["2", "c"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, [1, 64])],
        [helper.make_tensor_value_info("y", FLOAT, [1, 64])],
        [*zeros, other],
    )
    path = tmp_path / "m.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    assert count_file(path).params == 2 * 64 * 64
