"""Inputs from a seed, for tracing, calibrating and comparing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from profiler.core.errors import InputError
from profiler.core.tensor import TensorSpec

Array: TypeAlias = NDArray[Any]


def sized(spec: TensorSpec, batch: int) -> tuple[int, ...]:
    """The shape of an input at a batch size; the first dimension is the batch.

    Raises: InputError when another dimension has no size.
    """
    shape = spec.shape
    rest = None if shape is None else [dim for dim in shape[1:] if isinstance(dim, int)]
    if shape is None or rest is None or len(rest) != len(shape[1:]):
        raise InputError(f"input {spec.name!r} has no fixed size: {shape}; give its shape")
    return (batch, *rest) if shape else ()


def draw(inputs: Sequence[TensorSpec], seed: int, batch: int, high: int = 2) -> dict[str, Array]:
    """Draw one array for each input: standard normal floats, integers in 0..high-1.

    Raises: InputError for a type that has no numbers.
    """
    rng = np.random.default_rng(seed)
    return {spec.name: _draw(spec, sized(spec, batch), rng, high) for spec in inputs}


def _draw(spec: TensorSpec, shape: tuple[int, ...], rng: np.random.Generator, high: int) -> Array:
    try:
        dtype = np.dtype(spec.dtype)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind == "f":
        return np.asarray(rng.standard_normal(shape), dtype=dtype)
    if dtype.kind in "iub":
        return np.asarray(rng.integers(0, 2 if dtype.kind == "b" else high, shape), dtype=dtype)
    raise InputError(f"input {spec.name!r} of type {spec.dtype} cannot be made")
