"""Input arrays from a seed: native byte order, contiguous, of exactly the declared type."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind
from profiler.core.tensor import TensorSpec
from profiler.runtimes._runtime import Array


def make_feeds(inputs: Iterable[TensorSpec], seed: int) -> dict[str, Array]:
    """Draw one array for each input: standard normal floats, small non-negative integers.

    Integers are 0 or 1 so that an index into any table of two rows or more is in range.
    Raises: ModelError `bad_input` for an input without a size or of a type that has no numbers.
    """
    rng = np.random.default_rng(seed)
    return {spec.name: _draw(spec, rng) for spec in inputs}


def _draw(spec: TensorSpec, rng: np.random.Generator) -> Array:
    shape = tuple(dim for dim in spec.shape or () if isinstance(dim, int))
    if spec.shape is None or len(shape) != len(spec.shape):
        raise ModelError(
            FailureKind.BAD_INPUT,
            f"input {spec.name!r} has no fixed size {spec.shape}; give it one with --dim NAME=SIZE",
        )
    try:
        dtype = np.dtype(spec.dtype)
    except TypeError as error:
        raise ModelError(
            FailureKind.BAD_INPUT, f"input {spec.name!r} of type {spec.dtype} cannot be made"
        ) from error
    if dtype.kind == "f":
        return np.ascontiguousarray(rng.standard_normal(shape), dtype=dtype)
    if dtype.kind in "iub":
        return np.ascontiguousarray(rng.integers(0, 2, shape), dtype=dtype)
    raise ModelError(
        FailureKind.BAD_INPUT, f"input {spec.name!r} of type {spec.dtype} cannot be made"
    )
