"""Sizes of a model's inputs: from the model where fixed, from the person where symbolic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from profiler.core.errors import InputError
from profiler.core.tensor import TensorSpec


def bind_inputs(
    inputs: Iterable[TensorSpec], dims: Mapping[str, int], batch: int | None
) -> tuple[TensorSpec, ...]:
    """Give every symbolic dimension a size.

    The first dimension of each input is the batch: a symbolic one becomes `batch` (1 when None).
    Raises: InputError naming the axis that has no size, or a fixed batch that differs from `batch`.
    """
    return tuple(_bind(spec, dims, batch) for spec in inputs)


def symbols(inputs: Iterable[TensorSpec], batch: int | None) -> dict[str, int]:
    """Sizes of the named batch axes, for counting the static cost at the same sizes."""
    first = (spec.shape[0] for spec in inputs if spec.shape)
    return {dim: batch or 1 for dim in first if isinstance(dim, str)}


def _bind(spec: TensorSpec, dims: Mapping[str, int], batch: int | None) -> TensorSpec:
    if spec.shape is None:
        raise InputError(
            f"input {spec.name!r} has an unknown rank; export the model with fixed shapes"
        )
    shape = tuple(_size(spec, axis, dim, dims, batch) for axis, dim in enumerate(spec.shape))
    if batch is not None and shape and shape[0] != batch:
        raise InputError(
            f"input {spec.name!r} has a fixed batch of {shape[0]}, not {batch}; "
            f"export the model with --batch {batch} or --dynamic-batch"
        )
    return replace(spec, shape=shape)


def _size(
    spec: TensorSpec, axis: int, dim: int | str | None, dims: Mapping[str, int], batch: int | None
) -> int:
    if isinstance(dim, int):
        if dim < 1:
            raise InputError(
                f"input {spec.name!r} has size {dim} on axis {axis}; nothing to measure"
            )
        return dim
    if dim is not None and dim in dims:
        return dims[dim]
    if axis == 0:
        return batch or 1
    name = dim or f"axis {axis}"
    raise InputError(
        f"input {spec.name!r} has no size for {name}; give one with --dim {dim or 'NAME'}=SIZE"
    )
