"""What a subject is: a network that can be built, or an ONNX file, and how it is referred to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from profiler.core.errors import InputError
from profiler.core.tensor import TensorSpec
from profiler.core.units import printable

if TYPE_CHECKING:
    from torch import nn

InputShape = Sequence[int] | Sequence[Sequence[int]] | Sequence[TensorSpec]
"""One input without its batch dimension, several of them, or full specifications."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A network by reference.

    Shapes: `inputs` are for batch 1. `text` is the canonical reference, `source` a text that
    changes with the code behind it, `trained` whether `build` gives trained weights. `path` is the
    file of a subject that is an ONNX model already; then `build` raises InputError.
    """

    text: str
    inputs: tuple[TensorSpec, ...]
    build: Callable[[int], nn.Module]
    source: str
    trained: bool = False
    path: Path | None = None


class Source(Protocol):
    """A place that subjects come from."""

    @property
    def example(self) -> str:
        """A reference as a person would write it, for messages."""
        ...

    def claims(self, reference: str) -> bool:
        """Whether a reference is of this kind; looks at the text alone."""
        ...

    def resolve(self, reference: str, inputs: tuple[TensorSpec, ...] | None) -> Subject:
        """Find the subject; `inputs` are the person's own instead of the usual ones.

        Raises: InputError when there is no such subject, UnavailableError without its library.
        """
        ...


def specs(shape: InputShape | None) -> tuple[TensorSpec, ...] | None:
    """Read input shapes as a person gives them: no batch dimension, float32.

    Raises: InputError when a size is not positive.
    """
    if shape is None:
        return None
    if shape and all(isinstance(item, TensorSpec) for item in shape):
        return tuple(item for item in shape if isinstance(item, TensorSpec))
    several = [item for item in shape if isinstance(item, Sequence)]
    shapes = several or [[item for item in shape if isinstance(item, int)]]
    if (several and len(several) != len(shape)) or not all(d > 0 for s in shapes for d in s):
        raise InputError(f"the input shape {shape!r} is no shape such as (3, 224, 224)")
    names = ["input"] if len(shapes) == 1 else [f"input_{index}" for index in range(len(shapes))]
    return tuple(image(tuple(s), name) for s, name in zip(shapes, names, strict=True))


def image(shape: tuple[int, ...], name: str = "input", dtype: str = "float32") -> TensorSpec:
    """One input of batch 1 from a shape without the batch dimension."""
    return TensorSpec(name, dtype, (1, *shape))


def shown(reference: str) -> str:
    """A reference as text in a message."""
    return repr(printable(reference))


def place(path: Path) -> str:
    """A path as part of a reference: below the working folder, or the file's name alone.

    It is stored with every export, so it must not tell a stranger where the person's files lie.
    """
    try:
        return printable(str(path.resolve().relative_to(Path.cwd())))
    except ValueError:
        return printable(path.name)


def declared_inputs(owner: object) -> tuple[TensorSpec, ...] | None:
    """Read the attributes `input_shape` and `input_dtype` of a network or factory.

    Raises: InputError when `input_shape` is there and is no shape.
    """
    shape = getattr(owner, "input_shape", None)
    if shape is None or not isinstance(shape, Sequence) or isinstance(shape, str):
        return None
    dtype = str(getattr(owner, "input_dtype", "float32")).removeprefix("torch.")
    return tuple(TensorSpec(s.name, dtype, s.shape) for s in specs(shape) or ())
