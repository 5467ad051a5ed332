"""Operators that treat each element by itself.

The tables are the published weights: the arithmetic operations of one output element, where an
addition, multiplication, comparison, division, root, exponential or error function is one.
Source: docs/cost.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from profiler.cost.call import IN_PLACE, Call, Family, Result, of
from profiler.cost.values import BOOL, broadcast, size

# Sigmoid is 1 / (1 + exp(-x)): four operations; the others are written out the same way.
UNARY: Mapping[str, int] = {
    "Abs": 1, "Neg": 1, "Sign": 1, "Ceil": 1, "Floor": 1, "Round": 1, "Reciprocal": 1, "Sqrt": 1,
    "Exp": 1, "Log": 1, "Erf": 1, "Sin": 1, "Cos": 1, "Tan": 1, "Asin": 1, "Acos": 1, "Atan": 1,
    "Sinh": 1, "Cosh": 1, "Tanh": 1, "Asinh": 1, "Acosh": 1, "Atanh": 1, "Not": 1, "BitwiseNot": 1,
    "Relu": 1, "ThresholdedRelu": 1, "LeakyRelu": 2, "Softsign": 3, "Softplus": 3, "Shrink": 3,
    "Sigmoid": 4, "HardSigmoid": 4, "Elu": 4, "HardSwish": 5, "Selu": 5, "Mish": 5, "Celu": 7,
    "Bernoulli": 1,
}  # fmt: skip
BINARY: Mapping[str, int] = {
    "Add": 1, "Sub": 1, "Mul": 1, "Div": 1, "Mod": 1, "Pow": 1, "PRelu": 2, "BitShift": 1,
    "And": 1, "Or": 1, "Xor": 1, "BitwiseAnd": 1, "BitwiseOr": 1, "BitwiseXor": 1, "Where": 1,
}  # fmt: skip
COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
VARIADIC = ("Max", "Min", "Sum", "Mean")
SIGMOID, SWISH, GELU_ERF, GELU_TANH = 4, 5, 5, 9


def unary(call: Call, weight: int) -> Result:
    """An operator of one tensor that keeps its type."""
    return Result((call.tensor(0),), flops=weight * size(call.shape(0)), reuse=IN_PLACE)


def to_boolean(call: Call) -> Result:
    """IsNaN and IsInf: one comparison an element."""
    return Result(of(BOOL, call.shape(0)), flops=size(call.shape(0)))


def binary(call: Call, weight: int) -> Result:
    """An operator of tensors that are stretched to each other; `Where` takes its type from X."""
    shape = broadcast(*(call.shape(index) for index in range(len(call.inputs))))
    dtype = call.dtype(1 if call.op_type == "Where" else 0)
    return Result(of(dtype, shape), flops=weight * size(shape), reuse=IN_PLACE)


def comparison(call: Call) -> Result:
    """A comparison: one operation an element, with a boolean result."""
    shape = broadcast(call.shape(0), call.shape(1))
    return Result(of(BOOL, shape), flops=size(shape))


def variadic(call: Call) -> Result:
    """Max, Min, Sum, Mean of n tensors: n - 1 operations an element, and a division for Mean."""
    shape = broadcast(*(call.shape(index) for index in range(len(call.inputs))))
    weight = len(call.inputs) - 1 + (call.op_type == "Mean")
    return Result(of(call.dtype(), shape), flops=weight * size(shape), reuse=IN_PLACE)


def clip(call: Call) -> Result:
    """Clip: one comparison for each limit that is given."""
    limits = sum(call.has(i) for i in (1, 2)) or sum(k in call.attributes for k in ("min", "max"))
    return unary(call, limits)


def gelu(call: Call) -> Result:
    """Gelu, x * (1 + erf(x / sqrt 2)) / 2 in five operations, by tanh in nine."""
    return unary(call, GELU_TANH if call.text("approximate") == "tanh" else GELU_ERF)


def swish(call: Call) -> Result:
    """Swish, x * sigmoid(alpha x): a sigmoid and a product, and one more for an alpha."""
    return unary(call, SWISH + (call.number("alpha", 1.0) != 1.0))


def swiglu(call: Call) -> Result:
    """SwiGLU: Swish of the first input times the second."""
    shape = broadcast(call.shape(0), call.shape(1))
    weight = SWISH + 1 + (call.number("alpha", 1.0) != 1.0)
    return Result(of(call.dtype(), shape), flops=weight * size(shape), reuse=IN_PLACE)


def dropout(call: Call) -> Result:
    """Dropout: a copy in inference; in training mode a comparison and a product an element."""
    shape = call.shape(0)
    training = call.numbers(2) if call.has(2) else None
    flops = 2 * size(shape) if training is not None and bool(training) else 0
    outputs = (call.tensor(0), *of(BOOL, shape))
    return Result(outputs[: call.outputs], flops=flops, reuse=IN_PLACE)


def copy(call: Call) -> Result:
    """Identity: no arithmetic and no memory of its own."""
    return Result((call.inputs[0],), reuse="view", read=0, written=0)


RULES: Family = {
    **{name: partial(unary, weight=weight) for name, weight in UNARY.items()},
    **{name: partial(binary, weight=weight) for name, weight in BINARY.items()},
    **dict.fromkeys(COMPARISONS, comparison),
    **dict.fromkeys(VARIADIC, variadic),
    "IsNaN": to_boolean,
    "IsInf": to_boolean,
    "Clip": clip,
    "Gelu": gelu,
    "Swish": swish,
    "SwiGLU": swiglu,
    "Dropout": dropout,
    "Identity": copy,
}
