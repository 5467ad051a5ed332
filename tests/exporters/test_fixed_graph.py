"""A graph as converters need it: fixed sizes, constants as constants, a recent opset."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters.fixed_graph import fix
from profiler.core.errors import ModelError
from profiler.core.tensor import TensorSpec


def save(folder, nodes, shape, opset, initializers=(), ir_version=8):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    also = [
        helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.dims)
        for tensor in initializers
        if ir_version < 4
    ]
    graph = helper.make_graph(nodes, "g", [values[0], *also], values[1:], initializers)
    path = folder / "source.onnx"
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=ir_version), path)
    return path


def outputs(path, x):
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": x})


def test_symbols_become_sizes_everywhere(tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["m"]), helper.make_node("Neg", ["m"], ["y"])]
    path = save(tmp_path, nodes, ["n", 3, "side"], 18)
    shapes = fix(path, tmp_path / "fixed.onnx", (TensorSpec("x", "float32", (2, 3, 5)),))
    assert shapes == {"y": (2, 3, 5)}
    graph = onnx.load(tmp_path / "fixed.onnx").graph
    for value in (*graph.input, *graph.output, *graph.value_info):
        assert [dim.dim_value for dim in value.type.tensor_type.shape.dim] == [2, 3, 5]


def test_an_old_graph_gives_the_same_from_opset_13_on(tmp_path):
    weight = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(1, 3, 2, 1), "w")
    nodes = [helper.make_node("Add", ["x", "w"], ["s"]), helper.make_node("Softmax", ["s"], ["y"])]
    path = save(tmp_path, nodes, [1, 3, 2, 2], 9, [weight], ir_version=3)
    fix(path, tmp_path / "fixed.onnx", (TensorSpec("x", "float32", (1, 3, 2, 2)),))
    model = onnx.load(tmp_path / "fixed.onnx")
    onnx.checker.check_model(model)
    assert [value.name for value in model.graph.input] == ["x"]
    assert model.opset_import[0].version == 13
    x = np.random.default_rng(0).standard_normal((1, 3, 2, 2)).astype(np.float32)
    (want,), (got,) = outputs(path, x), outputs(tmp_path / "fixed.onnx", x)
    assert want.sum() == pytest.approx(1)  # over all channels, as opset 9 means it
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_types_that_changed_with_the_opset_are_inferred_anew(tmp_path):
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Dropout", ["r"], ["y", "mask"], ratio=0.5),
    ]
    path = save(tmp_path, nodes, [1, 4], 9)
    model = onnx.load(path)
    model.graph.value_info.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 4]))
    onnx.save(model, path)
    fix(path, tmp_path / "fixed.onnx", (TensorSpec("x", "float32", (1, 4)),))
    graph = onnx.load(tmp_path / "fixed.onnx").graph
    types = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    assert types["mask"] == TensorProto.BOOL
    x = np.array([[-1, 2, -3, 4]], np.float32)
    assert outputs(tmp_path / "fixed.onnx", x)[0].tolist() == [[0, 2, 0, 4]]


def test_what_cannot_be_raised_says_why(tmp_path):
    path = save(tmp_path, [helper.make_node("Crop", ["x"], ["y"])], [1, 3, 2, 2], 6)
    with pytest.raises(ModelError, match=r"opset 6 cannot be raised to 13: .*Crop") as caught:
        fix(path, tmp_path / "fixed.onnx", (TensorSpec("x", "float32", (1, 3, 2, 2)),))
    assert caught.value.kind == "unsupported"
