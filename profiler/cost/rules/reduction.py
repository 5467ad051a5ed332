"""Reductions and scans: operations an input element, and those that end each result.

Sums, products and extremes are one an element; a mean divides each result; norms square first.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from profiler.cost.call import Call, Family, Result, axis_of, of
from profiler.cost.values import INT64, Shape, size

# (operations an input element, operations an output element)
_WEIGHTS: Mapping[str, tuple[int, int]] = {
    "ReduceSum": (1, 0), "ReduceMean": (1, 1), "ReduceProd": (1, 0), "ReduceMax": (1, 0),
    "ReduceMin": (1, 0), "ReduceL1": (2, 0), "ReduceL2": (2, 1), "ReduceSumSquare": (2, 0),
    "ReduceLogSum": (1, 1), "ReduceLogSumExp": (4, 2),
}  # fmt: skip


def reduce(call: Call, weights: tuple[int, int]) -> Result:
    """A reduction over axes from an attribute or an input; over all where none are given."""
    x = call.shape(0)
    axes = call.axes(len(x))
    if not axes:
        # Without axes nothing is reduced where the operator says so.
        axes = () if call.integer("noop_with_empty_axes") else tuple(range(len(x)))
    out = _without(x, axes, bool(call.integer("keepdims", 1)))
    flops = size(x) * weights[0] + size(out) * weights[1] if axes else 0
    return Result(of(call.dtype(), out), flops=flops)


def arg(call: Call) -> Result:
    """ArgMax and ArgMin: one comparison an element."""
    x = call.shape(0)
    axis = axis_of(call.integer("axis"), len(x))
    out = _without(x, (axis,), bool(call.integer("keepdims", 1)))
    return Result(of(INT64, out), flops=size(x))


def running(call: Call) -> Result:
    """CumSum and CumProd: one operation an element."""
    return Result(of(call.dtype(), call.shape(0)), flops=size(call.shape(0)))


def _without(shape: Shape, axes: tuple[int, ...], keep: bool) -> Shape:
    kept = (
        1 if axis in axes else dim for axis, dim in enumerate(shape) if keep or axis not in axes
    )
    return tuple(kept)


RULES: Family = {
    **{name: partial(reduce, weights=weights) for name, weights in _WEIGHTS.items()},
    "ArgMax": arg,
    "ArgMin": arg,
    "CumSum": running,
    "CumProd": running,
}
MICROSOFT: Family = {"ReduceSumInteger": partial(reduce, weights=(1, 0))}
