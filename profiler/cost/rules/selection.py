"""Sorting and selecting: one comparison an element; how often more depends on the data.

What is selected depends on the data as well, so those sizes are not known.
"""

from __future__ import annotations

from profiler.cost.call import Call, Family, Result, axis_of, of
from profiler.cost.values import INT64, UNKNOWN, Shape, Type, size


def top_k(call: Call) -> Result:
    """TopK: k from an input (an attribute before opset 10)."""
    x = call.shape(0)
    axis = axis_of(call.integer("axis", -1), len(x))
    k = call.integer("k") or call.sizes(1)[0]
    out = (*x[:axis], k, *x[axis + 1 :])
    return Result((Type(call.dtype(), out), Type(INT64, out)), flops=size(x))


def non_zero(call: Call) -> Result:
    """NonZero: [rank, number of elements that are not zero]."""
    x = call.shape(0)
    return Result(of(INT64, (len(x), UNKNOWN)), flops=size(x))


def unique(call: Call) -> Result:
    """Unique elements, or slices along an axis."""
    x = call.shape(0)
    out: Shape = (UNKNOWN,)
    if "axis" in call.attributes:
        axis = axis_of(call.integer("axis"), len(x))
        out = (*x[:axis], UNKNOWN, *x[axis + 1 :])
    one = Type(INT64, (UNKNOWN,))
    return Result((Type(call.dtype(), out), one, one, one)[: call.outputs], flops=size(x))


def compress(call: Call) -> Result:
    """Compress: the slices that a condition picks."""
    x = call.shape(0)
    picked = call.numbers(1)
    count = UNKNOWN if picked is None else int(picked.sum())
    if "axis" not in call.attributes:
        return Result(of(call.dtype(), (count,)))
    axis = axis_of(call.integer("axis"), len(x))
    return Result(of(call.dtype(), (*x[:axis], count, *x[axis + 1 :])))


def non_max_suppression(call: Call) -> Result:
    """NonMaxSuppression: [boxes kept, 3]; how many are compared depends on the data.

    Counted: the area of each box (three operations) and one comparison for each score.
    """
    boxes, scores = call.shape(0), call.shape(1)
    return Result(of(INT64, (UNKNOWN, 3)), flops=3 * boxes[0] * boxes[1] + size(scores))


RULES: Family = {
    "TopK": top_k,
    "NonZero": non_zero,
    "Unique": unique,
    "Compress": compress,
    "NonMaxSuppression": non_max_suppression,
}
