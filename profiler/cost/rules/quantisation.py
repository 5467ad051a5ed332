"""Quantisation, and the 8-bit forms of elementwise operators that ONNX Runtime writes.

Quantising is a division, a rounding, two comparisons and the zero point; its inverse a product and
the zero point. An 8-bit elementwise operator does both around its own arithmetic.
"""

from __future__ import annotations

from functools import partial

from profiler.cost.call import Call, Family, Result, axis_of, of
from profiler.cost.rules.elementwise import SIGMOID
from profiler.cost.rules.pooling import average_pool
from profiler.cost.rules.reduction import reduce
from profiler.cost.values import FLOAT, UINT8, Type, broadcast, size

_QUANTISE, _DEQUANTISE, _ZERO_POINT = 4, 1, 1


def quantise(call: Call) -> Result:
    """QuantizeLinear: the output's type is the zero point's, or given, or uint8."""
    dtype = call.dtype(2) if call.has(2) else call.integer("output_dtype") or UINT8
    each = _QUANTISE + _ZERO_POINT * call.has(2)
    return Result(of(dtype, call.shape(0)), flops=each * size(call.shape(0)))


def dequantise(call: Call) -> Result:
    """DequantizeLinear: the output's type is the scale's, or given."""
    dtype = call.integer("output_dtype") or call.dtype(1) or FLOAT
    each = _DEQUANTISE + _ZERO_POINT * call.has(2)
    return Result(of(dtype, call.shape(0)), flops=each * size(call.shape(0)))


def dynamic_quantise(call: Call) -> Result:
    """DynamicQuantizeLinear: two comparisons for the range, then as QuantizeLinear."""
    x = call.shape(0)
    outputs = (Type(UINT8, x), Type(FLOAT, ()), Type(UINT8, ()))
    return Result(outputs[: call.outputs], flops=(2 + _QUANTISE + _ZERO_POINT) * size(x))


def around(call: Call, weight: int, inputs: int) -> Result:
    """An 8-bit elementwise operator of one or two tensors (a, scale, zero point, b, ...)."""
    shape = broadcast(*(call.shape(3 * index) for index in range(inputs)))
    each = inputs * (_DEQUANTISE + _ZERO_POINT) + weight + _QUANTISE + _ZERO_POINT
    return Result(of(call.dtype(), shape), flops=each * size(shape))


def concat(call: Call) -> Result:
    """QLinearConcat: (scale, zero point, then a, scale, zero point for each tensor)."""
    shapes = [call.shape(index) for index in range(2, len(call.inputs), 3)]
    axis = axis_of(call.integer("axis"), len(shapes[0]))
    joined = sum(shape[axis] for shape in shapes)
    out = (*shapes[0][:axis], joined, *shapes[0][axis + 1 :])
    return Result(of(call.dtype(2), out), flops=7 * size(out))


def global_average(call: Call) -> Result:
    """QLinearGlobalAveragePool: one addition an input element, then requantised."""
    x = call.shape(0)
    if call.integer("channels_last"):
        out = (x[0], *(1,) * (len(x) - 2), x[-1])
    else:
        out = (*x[:2], *(1,) * (len(x) - 2))
    return Result(of(call.dtype(), out), flops=size(x) + 6 * size(out))


def where(call: Call) -> Result:
    """QLinearWhere: (condition, x, scale, zero point, y, scale, zero point, ...)."""
    shape = broadcast(call.shape(0), call.shape(1), call.shape(4))
    return Result(of(call.dtype(1), shape), flops=10 * size(shape))


RULES: Family = {
    "QuantizeLinear": quantise,
    "DequantizeLinear": dequantise,
    "DynamicQuantizeLinear": dynamic_quantise,
}
MICROSOFT: Family = {
    "QuantizeLinear": quantise,
    "DequantizeLinear": dequantise,
    "QLinearAdd": partial(around, weight=1, inputs=2),
    "QLinearMul": partial(around, weight=1, inputs=2),
    "QLinearLeakyRelu": partial(around, weight=2, inputs=1),
    "QLinearSigmoid": partial(around, weight=SIGMOID, inputs=1),
    "QLinearSoftmax": partial(around, weight=5, inputs=1),
    "QLinearConcat": concat,
    "QLinearAveragePool": average_pool,
    "QLinearGlobalAveragePool": global_average,
    "QLinearReduceMean": partial(reduce, weights=(2, 6)),
    "QLinearWhere": where,
}
