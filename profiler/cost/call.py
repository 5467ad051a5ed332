"""What a rule is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exporters.onnx_types import Attribute
from profiler.cost.values import NOTHING_KNOWN, Sequence, Shape, Type, UnknownSize, Value

Array: TypeAlias = NDArray[Any]
VIEW, IN_PLACE = "view", "in place"


class Result(NamedTuple):
    """What a rule says of one node.

    Unit: `macs` multiply-accumulates, `flops` the arithmetic besides them. `read` and `written` are
    bytes, None for every input once and every output once. `reuse` says whether an output is its
    input under another shape (`view`) or may take its input's memory (`in place`).
    """

    outputs: tuple[Value | None, ...]
    macs: int = 0
    flops: int = 0
    reuse: str = ""
    read: int | None = None
    written: int | None = None


class Call:
    """One node with what is known of its inputs."""

    __slots__ = ("_numbers", "attributes", "inputs", "looked_at", "op_type", "opset", "outputs")

    def __init__(
        self,
        op_type: str,
        attributes: Mapping[str, Attribute],
        inputs: tuple[Value | None, ...],
        outputs: int,
        opset: int,
        numbers: Callable[[int], Array | None],
    ) -> None:
        self.op_type = op_type
        self.attributes = attributes
        self.inputs = inputs
        self.outputs = outputs
        self.opset = opset
        self.looked_at: tuple[int, ...] = ()
        self._numbers = numbers

    def has(self, index: int) -> bool:
        """Whether an optional input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def tensor(self, index: int) -> Type:
        """The type of an input.

        Raises: UnknownSize when the input is a sequence; IndexError when it is not given.
        """
        found = self.inputs[index]
        if isinstance(found, Sequence):
            raise UnknownSize
        return found if found is not None else NOTHING_KNOWN

    def dtype(self, index: int = 0) -> int:
        """The element type of an input."""
        return self.tensor(index).dtype

    def shape(self, index: int = 0) -> Shape:
        """The shape of an input.

        Raises: UnknownSize when its rank is not known.
        """
        found = self.tensor(index).shape
        if found is None:
            raise UnknownSize
        return found

    def numbers(self, index: int) -> Array | None:
        """The value of an input where it is a small constant; None when it is not known."""
        if index not in self.looked_at:
            self.looked_at = (*self.looked_at, index)
        return self._numbers(index) if self.has(index) else None

    def needed(self, index: int) -> Array:
        """The value of an input.

        Raises: UnknownSize when it is not known.
        """
        found = self.numbers(index)
        if found is None:
            raise UnknownSize
        return found

    def sizes(self, index: int) -> Shape:
        """The value of an input of integers.

        Raises: UnknownSize when it is not known.
        """
        return tuple(self.needed(index).ravel().tolist())

    def integer(self, name: str, default: int = 0) -> int:
        """An integer attribute."""
        found = self.attributes.get(name, default)
        return found if isinstance(found, int) else default

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A list of integers; None where the attribute is not given."""
        found: Any = self.attributes.get(name)
        return found if isinstance(found, tuple) else None

    def number(self, name: str, default: float = 0.0) -> float:
        """A number attribute."""
        found = self.attributes.get(name, default)
        return found if isinstance(found, (int, float)) else default

    def text(self, name: str, default: str = "") -> str:
        """A text attribute."""
        found = self.attributes.get(name, default)
        return found if isinstance(found, str) else default

    def axes(self, rank: int, name: str = "axes", index: int = 1) -> tuple[int, ...] | None:
        """Axes from an attribute (older operator sets) or an input, counted from the front.

        Raises: UnknownSize when the input is given and not known; ValueError past the rank.
        """
        axes = self.integers(name)
        if axes is None and self.has(index):
            axes = self.sizes(index)
        return None if axes is None else tuple(axis_of(axis, rank) for axis in axes)


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the front.

    Raises: ValueError when the shape has no such axis.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} of {rank}")
    return axis % rank


def of(dtype: int, shape: Shape | None) -> tuple[Type]:
    """The only output of a node."""
    return (Type(dtype, shape),)


Rule: TypeAlias = Callable[[Call], Result]
Family: TypeAlias = Mapping[str, Rule]


def constant(tensor_dtype: int, numbers: Any) -> Array:
    """Numbers as an array of the element type where NumPy has it."""
    return np.asarray(numbers, dtype=NUMPY_TYPES.get(tensor_dtype))


NUMPY_TYPES: Mapping[int, Any] = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64,
    9: np.bool_, 10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64,
}  # fmt: skip
