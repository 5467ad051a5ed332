"""What is known of a value in a graph: element type, shape, and a size that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any, NamedTuple, NoReturn, TypeAlias, cast

from exporters.onnx_types import DTYPES


class UnknownSize(Exception):  # noqa: N818 - a fact about a model, not an error
    """A rule needs a size, a rank or a number that is not known."""


class _Unknown:
    """A size that is not known: arithmetic with it is not known either, and asking is an error.

    So a rule is written once, for sizes, and holds for graphs of which only some sizes are known.
    """

    __slots__ = ()

    def _same(self, *_: object) -> _Unknown:
        return self

    def _refuse(self, *_: object) -> NoReturn:
        raise UnknownSize

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _same
    __floordiv__ = __rfloordiv__ = __truediv__ = __rtruediv__ = __mod__ = __rmod__ = _same
    __neg__ = __pow__ = __rpow__ = __abs__ = __floor__ = __ceil__ = __round__ = _same
    __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __index__ = __int__ = __float__ = _refuse

    def __repr__(self) -> str:
        return "?"


# For the type checker it is a size like any other.
UNKNOWN: int = cast(int, _Unknown())

Shape: TypeAlias = tuple[int, ...]


class Type(NamedTuple):
    """Element type (as in TensorProto) and shape of a tensor; None is an unknown rank."""

    dtype: int
    shape: Shape | None


class Sequence(NamedTuple):
    """A sequence of tensors; None items means that their number is not known."""

    items: tuple[Type, ...] | None
    element: Type


Value: TypeAlias = Type | Sequence
NOTHING_KNOWN = Type(0, None)

FLOAT, UINT8, INT8, INT32, INT64, STRING, BOOL = 1, 2, 3, 6, 7, 8, 9


def size(shape: Shape) -> int:
    """The number of elements, or UNKNOWN."""
    # Zero times an unknown size is nothing, but the smaller surprise is to say unknown.
    return prod(shape)


_BITS = {code: bits for code, (_, bits) in DTYPES.items()}


def bits(dtype: int) -> int:
    """The bits of one element; 0 for text and for types that are not known."""
    return _BITS.get(dtype, 0)


def bytes_of(value: Value | None) -> int:
    """The bytes of a value, or UNKNOWN."""
    if value is None:
        return 0
    if isinstance(value, Sequence):
        return UNKNOWN if value.items is None else sum(map(bytes_of, value.items))
    dtype, shape = value
    if shape is None:
        return UNKNOWN
    # Negated twice, the floor division rounds up.
    return -(-prod(shape) * _BITS.get(dtype, 0) // 8)


def broadcast(*shapes: Shape) -> Shape:
    """The shape that several shapes are stretched to.

    Raises: ValueError when they do not fit each other.
    """
    out: list[int] = []
    rank = max(map(len, shapes))
    for axis in range(-rank, 0):
        dim = 1
        for shape in shapes:
            if -axis <= len(shape) and shape[axis] is not dim and shape[axis] != 1:
                dim = _stretch(dim, shape[axis])
        out.append(dim)
    return tuple(out)


def _stretch(one: int, other: int) -> int:
    if one is UNKNOWN or other is UNKNOWN:
        known = one if other is UNKNOWN else other
        # An unknown size beside a known one can only be that one or 1.
        return UNKNOWN if known is UNKNOWN or known == 1 else known
    if one != 1 and one != other:
        raise ValueError(f"sizes {one} and {other} do not fit")
    return other


def known(number: Any) -> int | None:
    """A number or None where it is UNKNOWN."""
    return None if number is UNKNOWN else int(number)


def total(numbers: Iterable[int]) -> int:
    """The sum of those numbers that are known."""
    return sum(number for number in numbers if number is not UNKNOWN)
