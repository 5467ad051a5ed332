"""Activations that ONNX Runtime fuses: Gelu and its kin, with a bias in front."""

from __future__ import annotations

from functools import partial

from profiler.cost.call import Call, Family, Result, of
from profiler.cost.rules.elementwise import GELU_ERF, GELU_TANH, SWISH, unary
from profiler.cost.values import size


def with_bias(call: Call, weight: int) -> Result:
    """An activation with an optional bias: one more operation an element."""
    return unary(call, weight + call.has(1))


def split_gelu(call: Call) -> Result:
    """BiasSplitGelu: bias, then the first half times the Gelu of the second."""
    x = call.shape(0)
    out = (*x[:-1], x[-1] // 2)
    return Result(of(call.dtype(), out), flops=size(x) + size(out) * (GELU_ERF + 1))


def add_bias(call: Call) -> Result:
    """BiasAdd and BiasDropout in inference: bias and residual."""
    return unary(call, 1 + call.has(2))


def expand_dims(call: Call) -> Result:
    """ExpandDims: an axis of one element."""
    x = call.shape(0)
    axis = int(call.needed(1).ravel()[0]) % (len(x) + 1)
    return Result(of(call.dtype(), (*x[:axis], 1, *x[axis:])), reuse="view", read=0, written=0)


def complex_product(call: Call) -> Result:
    """ComplexMul: four products and two sums for each pair of numbers."""
    return unary(call, 3)


def distance(call: Call) -> Result:
    """CDist: a difference, a square and a sum for each pair of rows and column.

    Shapes: a [M, K], b [N, K], output [M, N].
    """
    a, b = call.shape(0), call.shape(1)
    return Result(of(call.dtype(), (a[0], b[0])), flops=3 * a[0] * b[0] * a[1])


MICROSOFT: Family = {
    "Gelu": partial(with_bias, weight=GELU_ERF),
    "BiasGelu": partial(with_bias, weight=GELU_ERF),
    "FastGelu": partial(with_bias, weight=GELU_TANH),
    "QuickGelu": partial(unary, weight=SWISH + 1),
    "BiasSplitGelu": split_gelu,
    "BiasAdd": add_bias,
    "BiasDropout": add_bias,
    "ExpandDims": expand_dims,
    "ComplexMul": complex_product,
    "CDist": distance,
}
