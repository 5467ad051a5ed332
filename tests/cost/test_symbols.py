"""Symbolic dimensions: sizes given by name, and costs as polynomials of the names."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from profiler.cost.count import count_file
from profiler.cost.polynomial import polynomial

FLOAT = TensorProto.FLOAT
node, info = helper.make_node, helper.make_tensor_value_info


def save(
    folder: Path, nodes: list[onnx.NodeProto], shape: list[int | str | None], **weights: np.ndarray
) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [info("x", FLOAT, shape)],
        [info("y", FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    path = folder / "m.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def attention(folder: Path) -> Path:
    """A product of [batch, length, 8] with its transpose: quadratic in the length."""
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        node("MatMul", ["x", "t"], ["s"]),
        node("Softmax", ["s"], ["p"]),
        node("MatMul", ["p", "x"], ["y"]),
    ]
    return save(folder, nodes, ["batch", "length", 8])


def test_the_polynomial_is_exact(tmp_path: Path) -> None:
    path = attention(tmp_path)
    macs = polynomial(path)["macs"]
    assert macs is not None
    assert (macs.symbols, macs.terms) == (("batch", "length"), ((16, 1, (1, 2)),))
    assert str(macs) == "16 batch length^2"
    assert macs.verified > 0
    flops = polynomial(path)["flops"]
    assert flops is not None
    sizes = {"batch": 7, "length": 123}
    assert flops.at(sizes) == count_file(path, sizes).flops


def test_the_peak_of_memory_is_one_where_the_same_node_needs_most(tmp_path: Path) -> None:
    path = save(tmp_path, [node("Relu", ["x"], ["h"]), node("Exp", ["h"], ["y"])], ["n", 3])
    peak = polynomial(path)["peak_activation_bytes"]
    assert peak is not None
    assert peak.terms == ((24, 1, (1,)),)


def test_strides_make_it_one_at_multiples_only(tmp_path: Path) -> None:
    weights = np.ones((4, 3, 3, 3), np.float32)
    conv = node("Conv", ["x", "w"], ["y"], strides=[2, 2], pads=[1] * 4)
    path = save(tmp_path, [conv], [1, 3, "side", "side"], w=weights)
    macs = polynomial(path)["macs"]
    assert macs is not None
    assert (macs.step, macs.terms) == (2, ((27, 1, (2,)),))
    assert macs.at({"side": 224}) == Fraction(count_file(path, {"side": 224}).macs)


def test_what_hangs_on_the_data_is_no_polynomial(tmp_path: Path) -> None:
    nodes = [node("NonZero", ["x"], ["i"]), node("Cast", ["i"], ["f"], to=FLOAT)]
    path = save(tmp_path, [*nodes, node("Relu", ["f"], ["y"])], ["n", 3])
    assert polynomial(path)["flops"] is None


def test_given_sizes_leave_the_other_symbols(tmp_path: Path) -> None:
    macs = polynomial(attention(tmp_path), {"length": 10})["macs"]
    assert macs is not None
    assert (macs.symbols, str(macs)) == (("batch",), "1600 batch")


def test_dimensions_without_a_name_are_called_by_their_place(tmp_path: Path) -> None:
    path = save(tmp_path, [node("Relu", ["x"], ["y"])], [None, 5])
    assert count_file(path).symbols == ("x[0]",)
    assert count_file(path, {"x[0]": 3}).flops == 15


def test_shapes_survive_arithmetic_on_unknown_sizes(tmp_path: Path) -> None:
    """The reshape that exporters write for a dynamic batch keeps all other sizes known."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n", "first"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["r"]),
        node("MatMul", ["r", "w"], ["y"]),
    ]
    path = save(
        tmp_path,
        nodes,
        ["batch", 4, 6],
        zero=np.array(0),
        first=np.array([0]),
        rest=np.array([3, 8]),
        w=np.ones((8, 2), np.float32),
    )
    assert count_file(path, {"batch": 5}).macs == 5 * 3 * 8 * 2
    assert [n.op_type for n in count_file(path).nodes if n.macs is None] == ["MatMul"]


def test_a_batch_of_zero_is_counted_as_nothing(tmp_path: Path) -> None:
    cost = count_file(attention(tmp_path), {"batch": 0, "length": 4})
    assert (cost.macs, cost.complete) == (0, True)
