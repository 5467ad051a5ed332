"""Operators with bodies, functions, and files that unfold to more than they seem."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.core.cost import GraphCost
from profiler.core.errors import ModelError
from profiler.cost.count import count_file

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
node, info = helper.make_node, helper.make_tensor_value_info
OPSETS = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]


def constant(name: str, value: object) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value), name)


def count(
    folder: Path,
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    shape: tuple[int, ...] = (4, 8),
    functions: list[onnx.FunctionProto] | None = None,
    inputs: tuple[onnx.ValueInfoProto, ...] = (),
) -> GraphCost:
    graph = helper.make_graph(
        nodes, "g", [info("x", FLOAT, shape), *inputs], [info("y", FLOAT, None)], constants
    )
    model = helper.make_model(graph, opset_imports=OPSETS, functions=functions or [], ir_version=10)
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return count_file(path)


def branch(name: str, width: int) -> onnx.GraphProto:
    weight = constant(f"{name}_w", np.ones((8, width), np.float32))
    return helper.make_graph(
        [node("MatMul", ["x", f"{name}_w"], [f"{name}_y"])],
        name, [], [info(f"{name}_y", FLOAT, None)], [weight],
    )  # fmt: skip


def test_if_counts_its_larger_branch(tmp_path: Path) -> None:
    choice = node("If", ["k"], ["y"], then_branch=branch("a", 2), else_branch=branch("b", 16))
    cost = count(tmp_path, [choice], [], inputs=(info("k", BOOL, []),))
    assert cost.macs == 4 * 8 * 16
    assert cost.params == 8 * 2 + 8 * 16


def test_if_with_a_known_condition_counts_the_branch_that_runs(tmp_path: Path) -> None:
    choice = node("If", ["k"], ["y"], then_branch=branch("a", 2), else_branch=branch("b", 16))
    assert count(tmp_path, [choice], [constant("k", True)]).macs == 4 * 8 * 2


def loop_body(weight: int = 8) -> onnx.GraphProto:
    return helper.make_graph(
        [
            node("MatMul", ["h", "w"], ["next"]),
            node("Identity", ["go"], ["go_on"]),
            node("Identity", ["next"], ["scanned"]),
        ],
        "body",
        [info("i", INT64, []), info("go", BOOL, []), info("h", FLOAT, None)],
        [info("go_on", BOOL, []), info("next", FLOAT, None), info("scanned", FLOAT, None)],
    )


def test_loop_counts_its_body_times_its_trips(tmp_path: Path) -> None:
    weights = [constant("w", np.ones((8, 8), np.float32)), constant("n", np.int64(5))]
    loop = node("Loop", ["n", "", "x"], ["h", "all"], body=loop_body())
    cost = count(tmp_path, [loop, node("Relu", ["all"], ["y"])], weights)
    assert cost.macs == 5 * 4 * 8 * 8
    assert next(n.flops for n in cost.nodes if n.op_type == "Relu") == 5 * 4 * 8
    assert [n.runs for n in cost.nodes if n.op_type == "MatMul"] == [5]


def test_a_loop_with_unknown_trips_is_named(tmp_path: Path) -> None:
    loop = node("Loop", ["n", "", "x"], ["h", "y"], name="forever", body=loop_body())
    weights = [constant("w", np.ones((8, 8), np.float32))]
    cost = count(tmp_path, [loop], weights, inputs=(info("n", INT64, []),))
    assert cost.unknown == ("forever",)
    assert cost.peak_activation_bytes is None


def test_a_loop_whose_state_grows_is_unrolled(tmp_path: Path) -> None:
    body = helper.make_graph(
        [node("Concat", ["h", "x"], ["next"], axis=0), node("Identity", ["go"], ["go_on"])],
        "body",
        [info("i", INT64, []), info("go", BOOL, []), info("h", FLOAT, None)],
        [info("go_on", BOOL, []), info("next", FLOAT, None)],
    )
    loop = node("Loop", ["n", "", "x"], ["h"], body=body)
    nodes = [loop, node("MatMul", ["h", "w"], ["y"])]
    weights = [constant("w", np.ones((8, 2), np.float32)), constant("n", np.int64(3))]
    assert count(tmp_path, nodes, weights).macs == 16 * 8 * 2


def test_endless_trips_are_only_multiplied(tmp_path: Path) -> None:
    weights = [constant("w", np.ones((8, 8), np.float32)), constant("n", np.int64(2**62))]
    loop = node("Loop", ["n", "", "x"], ["h", "y"], body=loop_body())
    assert count(tmp_path, [loop], weights).macs == 2**62 * 4 * 8 * 8


def test_scan_counts_its_body_times_the_length(tmp_path: Path) -> None:
    body = helper.make_graph(
        [node("Add", ["state", "row"], ["state_out"]), node("Identity", ["state_out"], ["out"])],
        "body",
        [info("state", FLOAT, [8]), info("row", FLOAT, [8])],
        [info("state_out", FLOAT, [8]), info("out", FLOAT, [8])],
    )
    scan = node("Scan", ["s", "x"], ["last", "y"], body=body, num_scan_inputs=1)
    cost = count(tmp_path, [scan], [constant("s", np.zeros(8, np.float32))])
    assert cost.flops == 4 * 8


def function(name: str, nodes: list[onnx.NodeProto]) -> onnx.FunctionProto:
    return helper.make_function("own", name, ["a"], ["b"], nodes, OPSETS, ["width"])


def test_functions_are_inlined_with_their_attributes(tmp_path: Path) -> None:
    softmax = node("Softmax", ["a"], ["c"])
    leaky = node("LeakyRelu", ["c"], ["b"])
    reference = leaky.attribute.add(name="alpha", type=onnx.AttributeProto.FLOAT)
    reference.ref_attr_name = "width"
    body = function("Soft", [softmax, leaky])
    nodes = [node("Soft", ["x"], ["h"], domain="own", name="one", width=0.5)]
    nodes += [node("Soft", ["h"], ["y"], domain="own", name="two", width=0.5)]
    cost = count(tmp_path, nodes, [], functions=[body])
    assert cost.flops == 2 * 32 * (5 + 2)
    assert [n.name for n in cost.nodes] == ["one/c", "one/b", "two/c", "two/b"]
    assert cost.complete


def test_a_function_that_calls_itself_is_refused(tmp_path: Path) -> None:
    body = function("Again", [node("Again", ["a"], ["b"], domain="own")])
    with pytest.raises(ModelError) as caught:
        count(tmp_path, [node("Again", ["x"], ["y"], domain="own")], [], functions=[body])
    assert caught.value.kind == "invalid_model"


def test_functions_that_unfold_without_end_are_refused(tmp_path: Path) -> None:
    calls = [node("Relu", ["a"], ["b"])]
    functions = [function("F0", calls)]
    for level in range(1, 40):
        inner = f"F{level - 1}"
        calls = [node(inner, ["a"], ["c"], domain="own"), node(inner, ["c"], ["b"], domain="own")]
        functions.append(function(f"F{level}", calls))
    with pytest.raises(ModelError) as caught:
        count(tmp_path, [node("F39", ["x"], ["y"], domain="own")], [], functions=functions)
    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Tile", ["x", "big"], ["y"])],
        [node("Expand", ["x", "big"], ["y"])],
        [node("ConstantOfShape", ["big"], ["y"])],
        [node("Constant", [], ["s"], value_int=2**40), node("Range", ["o", "s", "i"], ["y"])],
        [node("Pow", ["big", "big"], ["y"])],
    ],
    ids=lambda nodes: nodes[-1].op_type,
)
def test_huge_results_are_not_made(tmp_path: Path, nodes: list[onnx.NodeProto]) -> None:
    constants = [
        constant("big", np.array([2**31, 2**31])), constant("o", np.int64(0)),
        constant("i", np.int64(1)),
    ]  # fmt: skip
    assert count(tmp_path, nodes, constants).macs == 0


def test_malformed_nodes_are_named(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"], strides=[0, 0], name="no stride"),
        node("MatMul", [], ["b"], name="no input"),
        node("Reshape", ["x", "s"], ["c"], name="does not fit"),
        node("Einsum", ["x"], ["y"], equation="ij->k", name="no such label"),
    ]
    constants = [
        constant("w", np.ones((1, 1, 3, 3), np.float32)), constant("s", np.array([5, -1])),
    ]  # fmt: skip
    cost = count(tmp_path, nodes, constants)
    assert cost.unknown == ("no stride", "no input", "does not fit", "no such label")
