"""Operators that make data from sizes, and those that tell sizes."""

from __future__ import annotations

from exporters.onnx_types import SparseTensor, Tensor
from profiler.cost.call import Call, Family, Result, of
from profiler.cost.values import FLOAT, INT64, STRING, UNKNOWN, Shape, Type, size


def constant(call: Call) -> Result:
    """Constant: nothing is computed."""
    return Result((_constant_type(call),), read=0, written=0)


def _constant_type(call: Call) -> Type:
    value = call.attributes.get("value", call.attributes.get("sparse_value"))
    if isinstance(value, Tensor):
        return Type(value.dtype, value.dims)
    if isinstance(value, SparseTensor):
        return Type(value.values.dtype, value.dims)
    for name, dtype in (("float", FLOAT), ("int", INT64), ("string", STRING)):
        if f"value_{name}" in call.attributes:
            return Type(dtype, ())
        items = call.attributes.get(f"value_{name}s")
        if isinstance(items, tuple):
            return Type(dtype, (len(items),))
    raise ValueError("a constant without a value")


def shape_of(call: Call) -> Result:
    """Shape: the sizes of an input, or of a part of its axes."""
    rank = len(call.shape(0))
    start, end, _ = slice(call.integer("start"), _end(call)).indices(rank)
    return Result(of(INT64, (max(end - start, 0),)), read=0)


def _end(call: Call) -> int | None:
    return call.integer("end") if "end" in call.attributes else None


def size_of(call: Call) -> Result:
    """Size: the number of elements."""
    call.shape(0)
    return Result(of(INT64, ()), read=0)


def constant_of_shape(call: Call) -> Result:
    """ConstantOfShape: float 0 where no value is given."""
    value = call.attributes.get("value")
    return Result(of(value.dtype if isinstance(value, Tensor) else FLOAT, call.sizes(0)))


def range_(call: Call) -> Result:
    """Range: as many elements as steps fit, one addition each."""
    start, limit, delta = (call.needed(index).ravel()[0] for index in range(3))
    if any(number is UNKNOWN for number in (start, limit, delta)):
        return Result(of(call.dtype(), (UNKNOWN,)))
    count = max(-int((start - limit) // delta), 0)
    return Result(of(call.dtype(), (count,)), flops=count)


def eye_like(call: Call) -> Result:
    """EyeLike: the shape of the input."""
    return Result(of(call.integer("dtype") or call.dtype(), call.shape(0)), read=0)


def random(call: Call) -> Result:
    """RandomNormal and RandomUniform: generating numbers is not counted as arithmetic."""
    return Result(of(call.integer("dtype", FLOAT), call.integers("shape") or ()))


def random_like(call: Call) -> Result:
    """RandomNormalLike and RandomUniformLike: the shape of the input."""
    return Result(of(call.integer("dtype") or call.dtype(), call.shape(0)), read=0)


def bernoulli(call: Call) -> Result:
    """Bernoulli: one comparison an element."""
    x = call.shape(0)
    return Result(of(call.integer("dtype") or call.dtype(), x), flops=size(x))


def multinomial(call: Call) -> Result:
    """Multinomial: draws from unnormalised logarithms; the exponentials are counted.

    Shapes: x [N, classes], output [N, sample_size].
    """
    x = call.shape(0)
    out: Shape = (x[0], call.integer("sample_size", 1))
    return Result(of(call.integer("dtype", 6), out), flops=size(x))


RULES: Family = {
    "Constant": constant,
    "Shape": shape_of,
    "Size": size_of,
    "ConstantOfShape": constant_of_shape,
    "Range": range_,
    "EyeLike": eye_like,
    "RandomNormal": random,
    "RandomUniform": random,
    "RandomNormalLike": random_like,
    "RandomUniformLike": random_like,
    "Bernoulli": bernoulli,
    "Multinomial": multinomial,
}
MICROSOFT: Family = {"Range": range_}
