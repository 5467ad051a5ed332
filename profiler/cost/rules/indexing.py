"""Reading and writing by index: only the elements that are wanted are moved."""

from __future__ import annotations

from profiler.cost.call import Call, Family, Result, axis_of, of
from profiler.cost.values import Shape, bytes_of, size


def gather(call: Call) -> Result:
    """Gather: an axis is replaced by the shape of the indices."""
    x, indices = call.shape(0), call.shape(1)
    axis = axis_of(call.integer("axis"), len(x))
    return _taken(call, (*x[:axis], *indices, *x[axis + 1 :]))


def gather_elements(call: Call) -> Result:
    """GatherElements: the shape of the indices."""
    return _taken(call, call.shape(1))


def gather_nd(call: Call) -> Result:
    """GatherND: the last axis of the indices says where to look."""
    x, indices = call.shape(0), call.shape(1)
    batch = call.integer("batch_dims")
    return _taken(call, (*indices[:-1], *x[batch + indices[-1] :]))


def _taken(call: Call, shape: Shape) -> Result:
    out = of(call.dtype(), shape)
    return Result(out, read=bytes_of(out[0]) + bytes_of(call.inputs[1]))


def scatter(call: Call) -> Result:
    """ScatterElements, ScatterND, Scatter: one operation an update where one is named."""
    work = 0
    if call.text("reduction", "none") != "none":
        work = size(call.shape(2))
    return Result((call.tensor(0),), flops=work)


def tensor_scatter(call: Call) -> Result:
    """TensorScatter: an update of a cache; only the update is moved."""
    update = bytes_of(call.inputs[1])
    return Result((call.tensor(0),), reuse="in place", read=update, written=update)


def one_hot(call: Call) -> Result:
    """OneHot: a new axis of `depth` elements."""
    indices = call.shape(0)
    depth = int(call.needed(1).ravel()[0])
    axis = axis_of(call.integer("axis", -1), len(indices) + 1)
    return Result(of(call.dtype(2), (*indices[:axis], depth, *indices[axis:])))


RULES: Family = {
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "Scatter": scatter,
    "ScatterElements": scatter,
    "ScatterND": scatter,
    "TensorScatter": tensor_scatter,
    "OneHot": one_hot,
}
MICROSOFT: Family = {"GatherND": gather_nd}
