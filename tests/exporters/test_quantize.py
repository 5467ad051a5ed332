"""A small trained-like network in eight bits and in half precision, on ONNX Runtime itself."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters.calibration_data import Calibration, check, samples
from exporters.quantize import count_nodes, halve, quantise
from profiler.core.errors import InputError, ModelError
from profiler.core.tensor import TensorSpec
from profiler.parity import acceptable, compare

INPUT = TensorSpec("x", "float32", (1, 3, 8, 8))


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(0)
    weights = {
        "conv": rng.standard_normal((16, 3, 3, 3)) * 0.3,
        "bias": rng.standard_normal(16) * 0.1,
        "fc": rng.standard_normal((16, 10)) * 0.3,
    }
    nodes = [
        helper.make_node("Conv", ["x", "conv", "bias"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("MatMul", ["f", "fc"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])]
    kept = [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()]
    graph = helper.make_graph(nodes, "net", inputs, outputs, kept)
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def outputs(path):
    x = np.random.default_rng(9).standard_normal((1, 3, 8, 8)).astype(np.float32)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return {"y": session.run(None, {"x": x})[0]}


@pytest.mark.parametrize("method", ["minmax", "entropy", "percentile"])
def test_static_int8_runs_in_integers_and_agrees(source, tmp_path, method):
    made = tmp_path / "int8.onnx"
    quantise(source, made, tmp_path, [INPUT], Calibration(method=method))
    assert count_nodes(made, tmp_path)["int8"] >= 2
    weights = [t for t in onnx.load(made).graph.initializer if t.data_type == TensorProto.INT8]
    scales = {len(numpy_helper.to_array(t)) for t in weights if t.dims}
    assert 16 in scales  # a zero point for each of the convolution's channels
    assert acceptable(compare(outputs(source), outputs(made)), "int8")


def test_dynamic_int8_leaves_convolutions_alone(source, tmp_path):
    made = tmp_path / "int8.onnx"
    quantise(source, made, tmp_path, [INPUT], Calibration(dynamic=True))
    kinds = {node.op_type for node in onnx.load(made).graph.node}
    assert "Conv" in kinds
    assert "MatMulInteger" in kinds
    assert acceptable(compare(outputs(source), outputs(made)), "int8")


def test_only_the_operators_that_were_named_are_quantised(source, tmp_path):
    made = tmp_path / "int8.onnx"
    quantise(source, made, tmp_path, [INPUT], Calibration(operators=("MatMul",)))
    graph = onnx.load(made).graph
    producers = {name: node for node in graph.node for name in node.output}
    conv, matmul = (next(n for n in graph.node if n.op_type == kind) for kind in ("Conv", "MatMul"))
    assert conv.input[1] not in producers
    assert producers[matmul.input[0]].op_type == "DequantizeLinear"


def test_half_keeps_the_types_of_inputs_and_outputs(source, tmp_path):
    made = tmp_path / "fp16.onnx"
    halve(source, made)
    graph = onnx.load(made).graph
    types = {v.type.tensor_type.elem_type for v in (*graph.input, *graph.output)}
    assert types == {TensorProto.FLOAT}
    assert {t.data_type for t in graph.initializer} == {TensorProto.FLOAT16}
    error = compare(outputs(source), outputs(made))
    assert acceptable(error, "fp16")
    assert error.relative > 0


def test_samples_come_from_files_with_or_without_a_batch(tmp_path):
    stack = np.arange(2 * 3 * 8 * 8, dtype=np.float64).reshape(2, 3, 8, 8)
    np.savez(tmp_path / "b.npz", x=stack)
    np.savez(tmp_path / "a.npz", x=stack[:1])
    found = samples(Calibration(str(tmp_path)), [INPUT])
    assert [s["x"].shape for s in found] == [(1, 3, 8, 8)] * 3
    assert found[0]["x"].dtype == np.float32
    assert np.array_equal(found[2]["x"][0], stack[1])


@pytest.mark.parametrize(
    ("arrays", "says"),
    [({"z": np.zeros(3)}, "no array 'x'"), ({"x": np.zeros((2, 3, 9, 9))}, "the model takes")],
)
def test_data_that_does_not_fit_is_told(tmp_path, arrays, says):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(ModelError, match=says):
        samples(Calibration(str(tmp_path / "data.npz")), [INPUT])


@pytest.mark.parametrize("calibration", [Calibration(method="max"), Calibration("nowhere.npz")])
def test_a_calibration_that_cannot_be_is_refused_before_any_work(calibration):
    with pytest.raises(InputError, match=r"max|nowhere\.npz"):
        check(calibration)
