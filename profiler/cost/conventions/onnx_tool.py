"""onnx-tool, which counts the instructions that its author measured for each operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from profiler.cost.call import axis_of
from profiler.cost.conventions._convention import (
    Convention,
    Seen,
    attributes,
    elements_in,
    elements_out,
    has,
    macs,
    shape_of,
)
from profiler.cost.steps import Step
from profiler.cost.values import size

_DIV, _EXP, _LOG, _SIN, _SQRT, _TANH, _ATAN = 4, 32, 43, 39, 24, 38, 32
# "MACs" of one output element.
_ELEMENT: Mapping[str, int] = {
    "Add": 1, "Sub": 1, "Mul": 1, "Div": _DIV, "Mod": 1, "Neg": 1, "Abs": 1, "Ceil": 1, "Min": 1,
    "Max": 1, "Exp": _EXP, "Sigmoid": _EXP, "Softmax": _EXP + _DIV, "Softplus": _EXP + 1 + _LOG,
    "Log": _LOG, "LpNormalization": _EXP + 1, "Sqrt": _SQRT, "Pow": _EXP, "Sin": _SIN, "Cos": _SIN,
    "Tanh": 2 * _TANH, "Atan": 2 * _ATAN, "LogSoftmax": _EXP + _DIV + 1 + _LOG, "Sign": 1,
    "HardSigmoid": 4, "HardSwish": 5, "Relu": 1, "Elu": 1 + _EXP + 2, "Gelu": _EXP + 2, "PRelu": 2,
    "LeakyRelu": 2, "Clip": 2, "Reciprocal": _DIV, "CumSum": 1, "Less": 1, "LessOrEqual": 1,
    "Greater": 1, "GreaterOrEqual": 1, "Equal": 1, "Round": 1, "Not": 1, "And": 1, "Or": 1,
    "Xor": 1, "Floor": 1, "NonZero": 1, "Hardmax": 1, "BatchNormalization": 2 + _SQRT + _DIV + 1,
    "InstanceNormalization": 3 + _DIV, "QuantizeLinear": 2, "DequantizeLinear": 2,
}  # fmt: skip
# "MACs" of one input element.
_INPUT = {"ReduceMean": 1, "ReduceSum": 1, "ReduceProd": 1, "ReduceMin": 1, "ReduceMax": 1}
_INPUT["ReduceL2"] = 1 + _SQRT


def count(step: Step, seen: Seen) -> int:
    """Instructions: an exponential is 32, a division 4, and so on; a bias is added.

    Limits: where the tool gives an output a wrong shape (the norms of xcit, clipped, become one
    number there), its figure is not reproduced.
    Source: onnx_tool/node.py, onnx-tool 1.0.1.
    """
    op_type = step.node.op_type
    if op_type in _ELEMENT:
        return _ELEMENT[op_type] * elements_out(step)
    if op_type in _INPUT:
        return _INPUT[op_type] * elements_in(step)
    special = _SPECIAL.get(op_type)
    return special(step) if special is not None else 0


def _with_bias(step: Step) -> int:
    return macs(step) + (elements_out(step) if has(step, 2) else 0)


def _conv_transpose(step: Step) -> int:
    weight = size(shape_of(step.inputs[1])[1:])
    return elements_out(step) * (weight + has(step, 2))


def _pool(step: Step) -> int:
    kernel = attributes(step).integers("kernel_shape") or ()
    return elements_out(step) * size(kernel[:2])


def _global_pool(step: Step) -> int:
    return elements_in(step) + _DIV * elements_out(step)


def _resize(step: Step) -> int:
    taps = {"linear": 4, "cubic": 8}.get(attributes(step).text("mode", "nearest"), 0)
    return elements_out(step) * taps


def _layer_norm(step: Step) -> int:
    shape = shape_of(step.inputs[0])
    axis = axis_of(attributes(step).integer("axis", -1), len(shape))
    return 7 * size(shape) + size(shape) // shape[axis] * (1 + _SQRT + _DIV)


def _local_response(step: Step) -> int:
    return elements_out(step) * (_DIV + _EXP + 1 + attributes(step).integer("size", 1))


def _sum(step: Step) -> int:
    return elements_out(step) * (len(step.node.inputs) - 1)


def _qlinear_conv(step: Step) -> int:
    return macs(step) + (elements_out(step) if has(step, 8) else 0)


def _lstm(step: Step) -> int:
    return _cells(step, 4, 4 + 3 * _EXP + 2 * _TANH + 4)


def _gru(step: Step) -> int:
    return _cells(step, 3, 3 + 2 * _EXP + _TANH + 5)


def _cells(step: Step, gates: int, each: int) -> int:
    steps, batch = shape_of(step.inputs[0])[:2]
    weights = sum(elements_in(step, index) for index in (1, 2, 3) if has(step, index))
    hidden = shape_of(step.inputs[1])[1] // gates
    return weights * steps * batch + steps * batch * hidden * each


_SPECIAL: Mapping[str, Callable[[Step], int]] = {
    "Conv": _with_bias, "Gemm": _with_bias, "MatMul": macs, "MatMulInteger": macs,
    "QLinearMatMul": macs, "ConvInteger": macs, "QLinearConv": _qlinear_conv, "Einsum": macs,
    "ConvTranspose": _conv_transpose, "MaxPool": _pool, "AveragePool": _pool,
    "GlobalAveragePool": _global_pool, "Resize": _resize, "Upsample": _resize,
    "LayerNormalization": _layer_norm, "LRN": _local_response, "Sum": _sum, "LSTM": _lstm,
    "GRU": _gru,
}  # fmt: skip

PLUGIN = Convention(
    "onnx-tool",
    "onnx-tool MACs",
    "instructions by the author's table: an exponential is 32, a division 4",
    count,
    {
        "Conv": "one for each output element that has a bias",
        "Gemm": "one for each output element that has a bias",
        "ConvTranspose": "counted from the output elements, too high by the strides",
        "": "a number of instructions for each element",
    },
)
