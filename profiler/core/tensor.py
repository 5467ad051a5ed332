"""What a model takes and gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model.

    Shapes: an int is a known dimension, a str a symbolic one, None an unknown one; the whole shape
    is None when even the rank is unknown. `dtype` is NumPy's name (`float32`, `bfloat16`).
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None
