"""The names of one graph body: types, small values, and what does not depend on the inputs."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, MutableMapping, MutableSet
from typing import TypeVar

from exporters.onnx_parse import value
from exporters.onnx_types import Graph, Tensor, TypeInfo
from exporters.onnx_wire import fields
from profiler.cost.call import Array
from profiler.cost.evaluate import tensor_array
from profiler.cost.values import (
    NOTHING_KNOWN,
    UNKNOWN,
    Sequence,
    Shape,
    Type,
    Value,
)

_T = TypeVar("_T")
_VALUE_INFO = 13


class Scope:
    """What is known while the nodes of one body are walked; bodies inside see it, not change it."""

    def __init__(self, outer: Scope | None = None) -> None:
        self.types: MutableMapping[str, Value] = _layer(outer.types) if outer else {}
        self.arrays: MutableMapping[str, Array] = _layer(outer.arrays) if outer else {}
        self.constants: MutableMapping[str, Tensor] = _layer(outer.constants) if outer else {}
        self.fixed: MutableMapping[str, None] = _layer(outer.fixed) if outer else {}
        self.stored: MutableMapping[str, int] = _layer(outer.stored) if outer else {}
        self.declared: Callable[[str], Value | None] = lambda name: None

    def add_constant(self, tensor: Tensor) -> None:
        """Take in a constant."""
        self.types[tensor.name] = Type(tensor.dtype, tensor.dims)
        self.constants[tensor.name] = tensor
        self.fixed[tensor.name] = None

    def array(self, name: str) -> Array | None:
        """The value of a name where it is known and small."""
        found = self.arrays.get(name)
        if found is None and (tensor := self.constants.get(name)) is not None:
            found = tensor_array(tensor)
            if found is not None:
                self.arrays[name] = found
        return found

    def may_have_array(self, name: str) -> bool:
        """Whether it is worth asking for the value of a name."""
        return name in self.arrays or name in self.constants


def _layer(outer: MutableMapping[str, _T]) -> MutableMapping[str, _T]:
    return outer.new_child() if isinstance(outer, ChainMap) else ChainMap({}, outer)


class Declared:
    """The types that a file writes down for its values, read when first asked for."""

    def __init__(self, graph: Graph, dims: Mapping[str, int]) -> None:
        self._graph = graph
        self._dims = dims
        self._types: dict[str, Value] | None = None

    def __call__(self, name: str) -> Value | None:
        """The declared type of a value, or None."""
        if self._types is None:
            infos = [
                value(span.data, start, end)
                for span in self._graph.value_info
                for number, _, start, end in fields(*span)
                if number == _VALUE_INFO
            ]
            self._types = {
                info.name: from_info(info.type, self._dims)
                for info in (*infos, *self._graph.outputs)
                if info.type is not None
            }
        return self._types.get(name)


def from_info(
    info: TypeInfo | None,
    dims: Mapping[str, int],
    name: str = "",
    unbound: MutableSet[str] | None = None,
) -> Value:
    """A declared type with its symbols replaced by sizes; symbols without one are collected.

    A dimension of input `x` without a symbol is called `x[0]`, `x[1]`, ...
    """
    if info is None:
        return NOTHING_KNOWN
    if info.kind == "optional":
        return from_info(info.element, dims, name, unbound)
    if info.kind == "sequence":
        element = from_info(info.element, dims)
        return Sequence(None, element if isinstance(element, Type) else NOTHING_KNOWN)
    if info.shape is None:
        return Type(info.dtype, None)
    shape = []
    for axis, dim in enumerate(info.shape):
        if isinstance(dim, int):
            shape.append(dim)
            continue
        symbol = dim or f"{name}[{axis}]"
        if symbol not in dims and unbound is not None:
            unbound.add(symbol)
        shape.append(dims.get(symbol, UNKNOWN))
    return Type(info.dtype, tuple(shape))


def completed(found: Value | None, declared: Value | None) -> Value | None:
    """What was inferred, with the gaps filled by what the file declares."""
    if not isinstance(declared, Type) or declared.shape is None:
        return declared if found is None or found == NOTHING_KNOWN else found
    if not isinstance(found, Type):
        return declared if found is None else found
    dtype = found.dtype or declared.dtype
    if found.shape is None:
        return Type(dtype, declared.shape)
    if len(found.shape) != len(declared.shape):
        return found
    shape: Shape = tuple(
        other if one is UNKNOWN else one
        for one, other in zip(found.shape, declared.shape, strict=True)
    )
    return Type(dtype, shape)


def is_complete(value: Value | None) -> bool:
    """Whether nothing about a value is missing."""
    if isinstance(value, Type):
        return value.shape is not None and UNKNOWN not in value.shape
    return value is None or value.items is not None


def joined(one: Value | None, other: Value | None) -> Value | None:
    """What two values have in common: the type of a name that may be either."""
    if one == other:
        return one
    if not isinstance(one, Type) or not isinstance(other, Type):
        if isinstance(one, Sequence) and isinstance(other, Sequence):
            return Sequence(None, one.element if one.element == other.element else NOTHING_KNOWN)
        return NOTHING_KNOWN
    dtype = one.dtype if one.dtype == other.dtype else 0
    if one.shape is None or other.shape is None or len(one.shape) != len(other.shape):
        return Type(dtype, None)
    pairs = zip(one.shape, other.shape, strict=True)
    return Type(dtype, tuple(a if a is b or a == b else UNKNOWN for a, b in pairs))
