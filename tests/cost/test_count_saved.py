"""Graphs as ONNX Runtime saves them, quantised graphs, other precisions, weights elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

from profiler.core.cost import GraphCost
from profiler.cost.count import count_file

FLOAT = TensorProto.FLOAT
LEVELS = ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL")
node, info = helper.make_node, helper.make_tensor_value_info


def save(path: Path, nodes: list[onnx.NodeProto], shapes: dict[str, tuple[int, ...]]) -> Path:
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(size=shape).astype(np.float32) ** 2 + 0.1, name)
        for name, shape in shapes.items()
        if name != "x"
    ]
    graph = helper.make_graph(
        nodes, "g", [info("x", FLOAT, shapes["x"])], [info("y", FLOAT, None)], weights
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def saved_by_runtime(path: Path, level: str) -> GraphCost:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(path.with_suffix(".saved.onnx"))
    options.log_severity_level = 3
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return count_file(path.with_suffix(".saved.onnx"))


def image_network(folder: Path) -> Path:
    """Channels that are no whole blocks, a residual, groups, a depthwise one, a normalisation."""
    conv = {"pads": [1] * 4}
    nodes = [
        node("Conv", ["x", "stem", "stem_b"], ["a"], **conv),
        node("BatchNormalization", ["a", *["scale"] * 4], ["b"]),
        node("Relu", ["b"], ["c"]),
        node("Conv", ["c", "deep"], ["d"], group=24, **conv),
        node("Clip", ["d", "low", "high"], ["e"]),
        node("Conv", ["e", "point"], ["f"]),
        node("Add", ["f", "c"], ["g"]),
        node("BatchNormalization", ["g", *["scale"] * 4], ["n"]),
        node("Mul", ["n", "by_channel"], ["o"]),
        node("MaxPool", ["o"], ["h"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["h", "wide"], ["i"], **conv),
        node("Sigmoid", ["i"], ["j"]),
        node("Mul", ["i", "j"], ["k"]),
        node("GlobalAveragePool", ["k"], ["l"]),
        node("Flatten", ["l"], ["m"]),
        node("Gemm", ["m", "head", "head_b"], ["y"], transB=1),
    ]
    shapes: dict[str, tuple[int, ...]] = {
        "x": (1, 3, 16, 16), "stem": (24, 3, 3, 3), "stem_b": (24,), "scale": (24,),
        "deep": (24, 1, 3, 3), "point": (24, 24, 1, 1), "wide": (40, 24, 3, 3),
        "head": (10, 40), "head_b": (10,), "low": (), "high": (), "by_channel": (24, 1, 1),
    }  # fmt: skip
    return save(folder / "image.onnx", nodes, shapes)


def token_network(folder: Path) -> Path:
    """One block of a transformer, as exporters write it."""
    nodes = [node("LayerNormalization", ["x", "g", "b"], ["n"])]
    for name in "qkv":
        nodes += [
            node("MatMul", ["n", f"w{name}"], [f"{name}1"]),
            node("Constant", [], [f"{name}s"], value_ints=[0, 0, 4, 16]),
            node("Reshape", [f"{name}1", f"{name}s"], [f"{name}2"]),
            node(
                "Transpose", [f"{name}2"], [f"{name}3"],
                perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3],
            ),
        ]  # fmt: skip
    nodes += [
        node("MatMul", ["q3", "k3"], ["s"]),
        node("Mul", ["s", "scale"], ["t"]),
        node("Softmax", ["t"], ["p"]),
        node("MatMul", ["p", "v3"], ["o"]),
        node("Transpose", ["o"], ["o2"], perm=[0, 2, 1, 3]),
        node("Constant", [], ["os"], value_ints=[0, 0, 64]),
        node("Reshape", ["o2", "os"], ["o3"]),
        node("MatMul", ["o3", "wo"], ["z"]),
        node("Add", ["x", "z"], ["y"]),
    ]
    shapes: dict[str, tuple[int, ...]] = {
        "x": (2, 9, 64), "g": (64,), "b": (64,), "scale": (), "wo": (64, 64),
        **{f"w{name}": (64, 64) for name in "qkv"},
    }  # fmt: skip
    return save(folder / "tokens.onnx", nodes, shapes)


@pytest.mark.parametrize("build", [image_network, token_network])
@pytest.mark.parametrize("level", LEVELS)
def test_saving_at_any_level_keeps_the_macs(
    tmp_path: Path, build: Callable[[Path], Path], level: str
) -> None:
    path = build(tmp_path)
    original, saved = count_file(path), saved_by_runtime(path, level)
    assert original.complete
    assert saved.complete, (saved.uncounted, saved.unknown)
    assert saved.macs == original.macs
    assert saved.peak_activation_bytes is not None


class _Reader(CalibrationDataReader):
    def __init__(self) -> None:
        self._left = [{"x": np.random.default_rng(1).random((1, 3, 16, 16), np.float32)}]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self._left.pop() if self._left else None


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
def test_quantised_graphs_have_the_macs_of_the_original_in_int8(
    tmp_path: Path, form: QuantFormat
) -> None:
    path = image_network(tmp_path)
    quantised = tmp_path / "quantised.onnx"
    quantize_static(path, quantised, _Reader(), quant_format=form)
    original, cost = count_file(path), count_file(quantised)
    assert cost.complete, (cost.uncounted, cost.unknown)
    assert cost.macs == original.macs
    by_precision = {op.op_type: op.macs for op in cost.by_precision if op.macs}
    assert set(by_precision) <= {"uint8", "int8"}
    assert cost.params == pytest.approx(original.params, rel=0.01)
    assert cost.weight_bytes < original.weight_bytes / 2
    saved = saved_by_runtime(quantised, "ORT_ENABLE_ALL")
    assert saved.macs == original.macs
    assert saved.complete, (saved.uncounted, saved.unknown)


def test_half_precision_halves_the_bytes(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    model = onnx.load(save(tmp_path / "m.onnx", nodes, {"x": (4, 8), "w": (8, 16)}))
    full = count_file(tmp_path / "m.onnx")
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    weight = numpy_helper.to_array(model.graph.initializer[0]).astype(np.float16)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "w"))
    onnx.save(model, tmp_path / "half.onnx")
    half = count_file(tmp_path / "half.onnx")
    assert (half.macs, half.weight_bytes * 2) == (full.macs, full.weight_bytes)
    assert half.bytes_read * 2 == full.bytes_read
    assert [op.op_type for op in half.by_precision] == ["float16"]


def test_weights_in_a_missing_file_are_counted(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["h"]), node("MatMul", ["h", "v"], ["y"])]
    path = save(tmp_path / "m.onnx", nodes, {"x": (4, 80), "w": (80, 80), "v": (80, 80)})
    inside = count_file(path)
    onnx.save(onnx.load(path), tmp_path / "n.onnx", save_as_external_data=True, location="gone.bin")
    (tmp_path / "gone.bin").unlink()
    outside = count_file(tmp_path / "n.onnx")
    assert (outside.macs, outside.params, outside.weight_bytes) == (
        inside.macs,
        inside.params,
        inside.weight_bytes,
    )


def test_zero_initialised_layers_do_not_hide_their_padding(tmp_path: Path) -> None:
    model = onnx.load(image_network(tmp_path))
    for tensor in model.graph.initializer:
        if tensor.name == "point":
            zeros = np.zeros(tuple(tensor.dims), np.float32)
            tensor.CopyFrom(numpy_helper.from_array(zeros, "point"))
    path = tmp_path / "zeros.onnx"
    onnx.save(model, path)
    assert saved_by_runtime(path, "ORT_ENABLE_ALL").macs == count_file(path).macs
