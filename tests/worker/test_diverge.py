"""The node where outputs begin to differ, found by what is inside two graphs."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.worker.diverge import first_difference

INPUTS = (TensorSpec("x", "float32", (1, 8)),)
ORT = Target("onnxruntime-cpu")


def net(path, **changed):
    """Two branches of two products each that meet in a sum; every product can be changed."""
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal((8, 8)).astype(np.float32) for name in "abcd"}
    weights |= {name: weights[name] + np.float32(add) for name, add in changed.items()}
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["left"], name="first"),
        helper.make_node("MatMul", ["x", "b"], ["right"], name="second"),
        helper.make_node("Relu", ["left"], ["left2"], name="third"),
        helper.make_node("MatMul", ["right", "c"], ["right2"], name="fourth"),
        helper.make_node("MatMul", ["left2", "d"], ["left3"], name="fifth"),
        helper.make_node("Add", ["left3", "right2"], ["y"], name="last"),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("weight", "kind", "name"),
    [
        ("a", "MatMul", "first"),
        ("b", "MatMul", "second"),
        ("c", "MatMul", "fourth"),
        ("d", "MatMul", "fifth"),
    ],
)
def test_the_node_with_other_weights_is_named_and_no_later_one(tmp_path, weight, kind, name):
    wrong = net(tmp_path / "wrong.onnx", **{weight: 0.5})
    said = first_difference(net(tmp_path / "right.onnx"), wrong, ORT, INPUTS, 0)
    assert f"is {kind} '{name}': its output" in said


def test_equal_models_and_other_formats_name_nothing(tmp_path):
    right = net(tmp_path / "right.onnx")
    assert first_difference(right, net(tmp_path / "same.onnx"), ORT, INPUTS, 0) == ""
    assert first_difference(right, tmp_path / "model.tflite", ORT, INPUTS, 0) == ""


def test_what_the_precision_explains_is_no_difference(tmp_path):
    right, close = net(tmp_path / "right.onnx"), net(tmp_path / "close.onnx", d=2e-2)
    assert "fifth" in first_difference(right, close, ORT, INPUTS, 0)
    (tmp_path / "nodes.json").write_text('{"int8": 6}')
    small = Target("onnxruntime-cpu", precision="int8")
    assert first_difference(right, close, small, INPUTS, 0) == ""


def test_a_runtime_that_reads_onnx_shows_its_values_too(tmp_path):
    pytest.importorskip("openvino")
    right, wrong = net(tmp_path / "right.onnx"), net(tmp_path / "wrong.onnx", c=0.5)
    assert "fourth" in first_difference(right, wrong, Target("openvino-cpu"), INPUTS, 0)
