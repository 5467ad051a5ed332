"""Operators of com.microsoft: the shapes that ONNX Runtime gives, and MACs worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from profiler.core.errors import ModelError
from profiler.cost.count import count_file
from profiler.cost.steps import Step
from profiler.cost.values import Type

RNG = np.random.default_rng(0)
Arrays = Mapping[str, Any]


def f(*shape: int) -> np.ndarray:
    return RNG.random(shape, np.float32)


def u8(*shape: int) -> np.ndarray:
    return RNG.integers(0, 255, shape, np.uint8)


def scalar(value: float) -> np.ndarray:
    return np.array(value, np.float32)


ZERO = np.array(3, np.uint8)
SCALE = scalar(0.02)


def save(
    folder: Path, op_type: str, inputs: Arrays, outputs: int, attributes: Mapping[str, Any]
) -> Path:
    """A model of one node: arrays in capitals are inputs of the graph, the others constants."""
    node = helper.make_node(
        op_type,
        [name if value is not None else "" for name, value in inputs.items()],
        [f"y{index}" for index in range(outputs)],
        domain="com.microsoft",
        **attributes,
    )
    given = {name: value for name, value in inputs.items() if value is not None}
    graph = helper.make_graph(
        [node],
        "g",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for name, value in given.items()
            if name.isupper()
        ],
        [helper.make_empty_tensor_value_info(f"y{index}") for index in range(outputs)],
        [
            helper.make_tensor(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape, value.tobytes(),
                raw=True,
            )
            for name, value in given.items()
            if not name.isupper()
        ],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    path = folder / "m.onnx"
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def quantised(name: str) -> dict[str, Any]:
    return {f"{name}_s": SCALE, f"{name}_z": ZERO}


X, Y, Z = quantised("x"), quantised("y"), quantised("z")
CASES: list[tuple[str, Arrays, int, dict[str, Any], int]] = [
    ("FusedMatMul", {"X": f(2, 5, 3), "W": f(2, 5, 4)}, 1, {"transA": 1, "alpha": 0.5}, 120),
    ("FusedMatMul", {"X": f(3, 2, 5), "W": f(2, 5, 4)}, 1, {"transBatchA": 1}, 120),
    ("FusedGemm", {"X": f(3, 5), "w": f(4, 5)}, 1, {"transB": 1, "activation": "Relu"}, 60),
    (
        "FusedConv", {"X": f(1, 4, 6, 6), "w": f(8, 4, 3, 3), "b": f(8)}, 1,
        {"activation": "Relu", "kernel_shape": [3, 3], "pads": [1] * 4}, 8 * 36 * 36,
    ),
    ("Gelu", {"X": f(2, 3)}, 1, {}, 0),
    ("BiasGelu", {"X": f(2, 3), "b": f(3)}, 1, {}, 0),
    ("FastGelu", {"X": f(2, 3), "b": f(3)}, 1, {}, 0),
    ("QuickGelu", {"X": f(2, 3)}, 1, {}, 0),
    ("SkipLayerNormalization", {"X": f(2, 3, 8), "S": f(2, 3, 8), "g": f(8), "b": f(8)}, 1, {}, 0),
    ("SkipSimplifiedLayerNormalization", {"X": f(2, 3, 8), "S": f(2, 3, 8), "g": f(8)}, 1, {}, 0),
    (
        "EmbedLayerNormalization",
        {
            "I": np.array([[1, 2, 3]], np.int32), "S": np.zeros((1, 3), np.int32), "w": f(9, 8),
            "p": f(5, 8), "s": f(2, 8), "g": f(8), "b": f(8), "M": np.ones((1, 3), np.int32),
        },
        2, {}, 0,
    ),
    ("BiasSoftmax", {"X": f(2, 3, 4), "B": f(2, 3, 4)}, 1, {"axis": 2, "is_inner_broadcast": 1}, 0),
    (
        "Attention", {"X": f(2, 5, 16), "w": f(16, 48), "b": f(48)}, 1, {"num_heads": 4},
        2 * 5 * 16 * 48 + 2 * 2 * 5 * 5 * 16,
    ),
    (
        "MultiHeadAttention", {"Q": f(2, 5, 16), "K": f(2, 7, 16), "V": f(2, 7, 16)}, 1,
        {"num_heads": 4}, 2 * 2 * 5 * 7 * 16,
    ),
    (
        "MultiHeadAttention",
        {
            "Q": f(2, 5, 16), "K": f(2, 3, 16), "V": f(2, 3, 16), "b": None, "m": None, "a": None,
            "PK": f(2, 4, 4, 4), "PV": f(2, 4, 4, 4),
        },
        3, {"num_heads": 4}, 2 * 2 * 5 * 7 * 16,
    ),
    (
        "GroupQueryAttention",
        {
            "Q": f(1, 3, 32), "K": f(1, 3, 16), "V": f(1, 3, 16), "PK": f(1, 2, 0, 8),
            "PV": f(1, 2, 0, 8), "L": np.array([2], np.int32), "t": np.array(3, np.int32),
        },
        3, {"num_heads": 4, "kv_num_heads": 2}, 2 * 3 * 3 * 32,
    ),
    (
        "RotaryEmbedding",
        {"X": f(1, 4, 16), "P": np.array([[0, 1, 2, 3]]), "c": f(8, 4), "s": f(8, 4)}, 1,
        {"num_heads": 2}, 0,
    ),
    (
        "QAttention",
        {
            "X": u8(2, 5, 16), "w": u8(16, 48), "b": f(48), "xs": SCALE, "ws": SCALE, "m": None,
            "xz": ZERO, "wz": ZERO,
        },
        1, {"num_heads": 4}, 2 * 5 * 16 * 48 + 2 * 2 * 5 * 5 * 16,
    ),
    (
        "MatMulIntegerToFloat",
        {"X": u8(3, 5), "w": u8(5, 4), "xs": SCALE, "ws": SCALE, "xz": ZERO, "wz": ZERO}, 1, {}, 60,
    ),
    ("DynamicQuantizeMatMul", {"X": f(3, 5), "w": u8(5, 4), "ws": SCALE, "wz": ZERO}, 1, {}, 60),
    (
        "QGemm",
        {
            "X": u8(3, 5), **X, "w": u8(4, 5), **quantised("w"),
            "b": np.zeros(4, np.int32), **Y,
        },
        1, {"transB": 1}, 60,
    ),
    ("QLinearAdd", {"X": u8(3, 5), **X, "Z": u8(3, 1), **Z, **Y}, 1, {}, 0),
    ("QLinearMul", {"X": u8(3, 5), **X, "Z": u8(3, 5), **Z, **Y}, 1, {}, 0),
    ("QLinearSigmoid", {"X": u8(3, 5), **X, **Y}, 1, {}, 0),
    ("QLinearLeakyRelu", {"X": u8(3, 5), **X, **Y}, 1, {}, 0),
    ("QLinearSoftmax", {"X": u8(3, 5), **X, **Y}, 1, {"opset": 13}, 0),
    (
        "QLinearConcat",
        {**Y, "X": u8(3, 5), **X, "Z": u8(3, 2), **Z}, 1,
        {"axis": 1}, 0,
    ),
    (
        "QLinearGlobalAveragePool", {"X": u8(1, 4, 6, 6), **X, **Y}, 1,
        {"channels_last": 0}, 0,
    ),
    (
        "QLinearAveragePool", {"X": u8(1, 4, 6, 6), **X, **Y}, 1,
        {"kernel_shape": [2, 2], "strides": [2, 2]}, 0,
    ),
    (
        "QLinearConv",
        {
            "X": u8(1, 6, 6, 4), **X, "w": u8(8, 4, 3, 3), **quantised("w"),
            **Y,
        },
        1, {"channels_last": 1, "kernel_shape": [3, 3]}, 16 * 8 * 36,
    ),
    ("NhwcMaxPool", {"X": u8(1, 6, 6, 4)}, 1, {"kernel_shape": [2, 2], "strides": [2, 2]}, 0),
    (
        "MatMulNBits", {"X": f(3, 32), "w": u8(8, 1, 16), "s": f(8, 1)}, 1,
        {"K": 32, "N": 8, "bits": 4, "block_size": 32}, 3 * 32 * 8,
    ),
    ("Inverse", {"X": f(2, 3, 3)}, 1, {}, 0),
    ("ExpandDims", {"X": f(2, 3), "a": np.array(1, np.int32)}, 1, {}, 0),
    ("CDist", {"X": f(5, 3), "Z": f(7, 3)}, 1, {"metric": "euclidean"}, 0),
    ("Rfft", {"X": f(2, 8)}, 1, {"normalized": 0, "onesided": 1, "signal_ndim": 1}, 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("op_type", "inputs", "outputs", "attributes", "macs"), CASES, ids=[case[0] for case in CASES]
)
def test_shapes_are_the_runtimes_and_macs_by_hand(
    tmp_path: Path,
    op_type: str,
    inputs: Arrays,
    outputs: int,
    attributes: dict[str, Any],
    macs: int,
) -> None:
    path = save(tmp_path, op_type, inputs, outputs, attributes)
    step = only_step(path)
    assert step.result is not None, op_type
    assert step.result.macs == macs
    for real, found in zip(run(path, inputs), step.outputs, strict=False):
        assert isinstance(found, Type)
        assert found.shape == real.shape
        assert helper.tensor_dtype_to_np_dtype(found.dtype) == real.dtype


def only_step(path: Path) -> Step:
    from profiler.cost.count import walk_file

    (step,) = walk_file(path)
    return step


def run(path: Path, inputs: Arrays) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    feeds = {name: value for name, value in inputs.items() if name.isupper()}
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        pytest.skip("this runtime has no kernel for it on the CPU")
    wanted = {value.name for value in session.get_inputs()}
    found: list[np.ndarray] = session.run(
        None, {name: value for name, value in feeds.items() if name in wanted}
    )
    return found


def test_four_bit_weights_are_parameters(tmp_path: Path) -> None:
    inputs = {"X": f(3, 32), "w": u8(8, 1, 16), "s": f(8, 1)}
    attributes = {"K": 32, "N": 8, "bits": 4, "block_size": 32}
    cost = count_file(save(tmp_path, "MatMulNBits", inputs, 1, attributes))
    assert cost.params == 32 * 8 + 8
    assert cost.weight_bytes == 8 * 16 + 8 * 4


def test_a_contrib_operator_without_a_rule_is_named(tmp_path: Path) -> None:
    cost = count_file(save(tmp_path, "MoE", {"X": f(2, 3)}, 1, {}))
    assert cost.uncounted == (("com.microsoft.MoE", 1),)
    with pytest.raises(ModelError):
        count_file(tmp_path / "none.onnx")
