"""The arithmetic on sizes that exporters leave in a graph, carried out on small constants.

A vector of sizes of which some are not known is an array of objects that holds UNKNOWN; what cannot
be computed from it is not known either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from exporters.onnx_types import Tensor
from profiler.cost.call import NUMPY_TYPES, Array, Call
from profiler.cost.values import UNKNOWN, UnknownSize, size

# What never asks for the value of an item, so that a size which is not known does no harm.
_SAFE_ON_PARTS = frozenset(
    {
        "Identity", "Gather", "Slice", "Concat", "Squeeze", "Unsqueeze", "Reshape", "Transpose",
        "Split", "Cast", "Add", "Sub", "Mul", "Div", "Where", "ReduceProd", "ReduceSum", "Sum",
    }
)  # fmt: skip
# Larger arrays are data, not sizes.
LARGEST = 4096


def tensor_array(tensor: Tensor) -> Array | None:
    """A small constant as an array; None when it was not read or NumPy has no such type."""
    dtype = NUMPY_TYPES.get(tensor.dtype)
    if dtype is None or tensor.external is not None or tensor.elements > LARGEST:
        return None
    if tensor.raw is not None:
        return np.frombuffer(tensor.raw, np.dtype(dtype).newbyteorder("<")).reshape(tensor.dims)
    if tensor.values is None:
        return None if tensor.elements else np.zeros(tensor.dims, dtype)
    if tensor.dtype == 10:
        halves = np.array(tensor.values, np.uint16)
        return halves.view(np.float16).reshape(tensor.dims)
    return np.array(tensor.values, dtype).reshape(tensor.dims)


def evaluate(call: Call, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
    """Carry out one node of `FUNCTIONS`; the caller has made sure that its result is small.

    Raises: UnknownSize or ValueError when the numbers do not allow it.
    """
    partial = any(array.dtype == object for array in arrays)
    if partial and call.op_type not in _SAFE_ON_PARTS:
        raise UnknownSize
    with np.errstate(all="ignore"):
        found = FUNCTIONS[call.op_type](call, arrays)
    outputs = found if isinstance(found, tuple) else (np.asarray(found),)
    if partial and any(_beyond(item) for output in outputs for item in output.ravel().tolist()):
        raise ValueError("beyond 64 bits")
    return outputs


def _beyond(item: Any) -> bool:
    return item is not UNKNOWN and not -(2**63) <= item < 2**63


def of_shape(call: Call) -> tuple[Array, ...]:
    """Shape and Size: the sizes of the input as far as they are known.

    Raises: UnknownSize when nothing of them is known.
    """
    shape = call.shape(0)
    if call.op_type == "Size":
        return (np.array(int(size(shape)), np.int64),)
    end = call.integer("end") if "end" in call.attributes else None
    return (sizes_array(shape[slice(call.integer("start"), end)]),)


def sizes_array(sizes: tuple[int, ...]) -> Array:
    """Sizes as an array; of objects where some are not known."""
    if any(dim is UNKNOWN for dim in sizes):
        out = np.empty(len(sizes), object)
        out[:] = sizes
        return out
    return np.array(sizes, np.int64)


def _axes(call: Call, given: tuple[Array, ...]) -> tuple[int, ...] | None:
    axes = call.integers("axes")
    if axes is None and len(given) > 1:
        axes = tuple(given[1].ravel().tolist())
    return axes


def _reduce(function: Callable[..., Any]) -> Callable[[Call, tuple[Array, ...]], Any]:
    def reduce(call: Call, given: tuple[Array, ...]) -> Any:
        axes = _axes(call, given)
        if not axes and call.integer("noop_with_empty_axes"):
            return given[0]
        keep = bool(call.integer("keepdims", 1))
        found = function(given[0], axis=axes or None, keepdims=keep)
        return np.asarray(found).astype(given[0].dtype)

    return reduce


def _gather(call: Call, given: tuple[Array, ...]) -> Any:
    return np.take(given[0], given[1].astype(np.int64), axis=call.integer("axis"))


def _slice(call: Call, given: tuple[Array, ...]) -> Any:
    starts, ends = call.integers("starts"), call.integers("ends")
    if starts is None or ends is None:
        starts, ends = call.sizes(1), call.sizes(2)
    axes = call.axes(given[0].ndim, index=3) or tuple(range(len(starts)))
    steps = call.sizes(4) if call.has(4) else (1,) * len(starts)
    where = [slice(None)] * given[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        dim = given[0].shape[axis]
        first, last, step = slice(start, end, step).indices(dim)
        where[axis] = slice(first, last if last >= 0 else None, step)
    return given[0][tuple(where)]


def _concat(call: Call, given: tuple[Array, ...]) -> Any:
    return np.concatenate(given, axis=call.integer("axis"))


def _squeeze(call: Call, given: tuple[Array, ...]) -> Any:
    return np.squeeze(given[0], _axes(call, given))


def _unsqueeze(call: Call, given: tuple[Array, ...]) -> Any:
    return np.expand_dims(given[0], _axes(call, given) or ())


def _reshape(call: Call, given: tuple[Array, ...]) -> Any:
    target = [
        given[0].shape[axis] if dim == 0 and not call.integer("allowzero") else dim
        for axis, dim in enumerate(given[1].tolist())
    ]
    return given[0].reshape(target)


def _cast(call: Call, given: tuple[Array, ...]) -> Any:
    dtype = NUMPY_TYPES.get(call.integer("to"))
    if dtype is None:
        raise ValueError("no such type")
    return given[0] if given[0].dtype == object else given[0].astype(dtype)


def _divide(call: Call, given: tuple[Array, ...]) -> Any:
    if any(array.dtype == object for array in given):
        return given[0] // given[1]
    if given[0].dtype.kind in "iu":
        # ONNX rounds integer division towards zero, NumPy downwards.
        quotient = np.abs(given[0]) // np.abs(given[1])
        return (np.sign(given[0]) * np.sign(given[1]) * quotient).astype(given[0].dtype)
    return given[0] / given[1]


def _modulo(call: Call, given: tuple[Array, ...]) -> Any:
    return np.fmod(*given) if call.integer("fmod") else np.mod(*given)


def _where(call: Call, given: tuple[Array, ...]) -> Any:
    return np.where(given[0].astype(bool), given[1], given[2])


def _clip(call: Call, given: tuple[Array, ...]) -> Any:
    out = given[0]
    for index, function in ((1, np.maximum), (2, np.minimum)):
        if call.has(index):
            out = function(out, call.needed(index))
    return out


def _range(call: Call, given: tuple[Array, ...]) -> Any:
    start, limit, delta = (array.ravel()[0] for array in given)
    return np.arange(start, limit, delta).astype(given[0].dtype)


def _constant_of_shape(call: Call, given: tuple[Array, ...]) -> Any:
    shape = tuple(int(dim) for dim in given[0].tolist())
    value = call.attributes.get("value")
    fill = tensor_array(value) if isinstance(value, Tensor) else np.zeros(1, np.float32)
    if fill is None:
        raise ValueError("no small value")
    return np.full(shape, fill.ravel()[0], fill.dtype)


def _expand(call: Call, given: tuple[Array, ...]) -> Any:
    target = tuple(int(dim) for dim in given[1].tolist())
    return np.broadcast_to(given[0], np.broadcast_shapes(given[0].shape, target))


def _split(call: Call, given: tuple[Array, ...]) -> tuple[Array, ...]:
    axis = call.integer("axis")
    sizes = call.integers("split") or (tuple(given[1].tolist()) if len(given) > 1 else None)
    if sizes is None:
        part = -(-given[0].shape[axis] // call.outputs)
        sizes = (part,) * (call.outputs - 1)
        return tuple(np.split(given[0], np.cumsum(sizes), axis))
    return tuple(np.split(given[0], np.cumsum(sizes)[:-1], axis))


def _non_zero(call: Call, given: tuple[Array, ...]) -> Any:
    return np.array(np.nonzero(given[0]), np.int64)


def _transpose(call: Call, given: tuple[Array, ...]) -> Any:
    return np.transpose(given[0], call.integers("perm"))


def _scatter_nd(call: Call, given: tuple[Array, ...]) -> Any:
    if call.text("reduction", "none") != "none":
        raise ValueError("not here")
    out = given[0].copy()
    out[tuple(np.moveaxis(given[1].astype(np.int64), -1, 0))] = given[2]
    return out


def _cumulative(call: Call, given: tuple[Array, ...]) -> Any:
    if call.integer("exclusive") or call.integer("reverse"):
        raise ValueError("not here")
    return np.cumsum(given[0], axis=int(given[1].ravel()[0])).astype(given[0].dtype)


def _variadic(function: Callable[..., Any]) -> Callable[[Call, tuple[Array, ...]], Any]:
    def variadic(call: Call, given: tuple[Array, ...]) -> Any:
        out = given[0]
        for array in given[1:]:
            out = function(out, array)
        return out

    return variadic


def _plain(function: Callable[..., Any]) -> Callable[[Call, tuple[Array, ...]], Any]:
    return lambda call, given: function(*given)


FUNCTIONS: Mapping[str, Callable[[Call, tuple[Array, ...]], Any]] = {
    "Identity": _plain(lambda x: x),
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Split": _split,
    "Cast": _cast,
    "CastLike": _plain(lambda x, like: x.astype(like.dtype)),
    "Add": _plain(lambda a, b: a + b),
    "Sub": _plain(lambda a, b: a - b),
    "Mul": _plain(lambda a, b: a * b),
    "Div": _divide,
    "Mod": _modulo,
    "Pow": _plain(lambda a, b: np.power(a, b).astype(a.dtype)),
    "Neg": _plain(np.negative),
    "Abs": _plain(np.abs),
    "Sign": _plain(np.sign),
    "Relu": _plain(lambda x: np.maximum(x, 0).astype(x.dtype)),
    "Floor": _plain(np.floor),
    "Ceil": _plain(np.ceil),
    "Round": _plain(np.rint),
    "Sqrt": _plain(np.sqrt),
    "Exp": _plain(np.exp),
    "Log": _plain(np.log),
    "Reciprocal": _plain(lambda x: (1 / x).astype(x.dtype)),
    "Not": _plain(np.logical_not),
    "And": _plain(np.logical_and),
    "Or": _plain(np.logical_or),
    "Xor": _plain(np.logical_xor),
    "Equal": _plain(lambda a, b: np.equal(a, b).astype(bool)),
    "Greater": _plain(lambda a, b: np.greater(a, b).astype(bool)),
    "GreaterOrEqual": _plain(lambda a, b: np.greater_equal(a, b).astype(bool)),
    "Less": _plain(lambda a, b: np.less(a, b).astype(bool)),
    "LessOrEqual": _plain(lambda a, b: np.less_equal(a, b).astype(bool)),
    "Where": _where,
    "Max": _variadic(np.maximum),
    "Min": _variadic(np.minimum),
    "Sum": _variadic(np.add),
    "Clip": _clip,
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "Expand": _expand,
    "Tile": _plain(lambda x, repeats: np.tile(x, repeats)),
    "NonZero": _non_zero,
    "ScatterND": _scatter_nd,
    "CumSum": _cumulative,
}
