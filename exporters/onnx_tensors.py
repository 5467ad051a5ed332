"""Whether the sizes that a model declares are what they claim to be."""

from __future__ import annotations

from collections.abc import Iterable

from exporters.onnx_types import DTYPES, STRING, Tensor, TypeInfo

_MOST_ELEMENTS = 2**63 - 1
# TensorProto.float_data, raw_data and double_data take as many bytes as their elements.
_FIXED_SIZE_FIELDS = frozenset({4, 9, 10})


def size_fault(tensor: Tensor) -> str | None:
    """Say what is wrong with the declared size of a constant; None when nothing is.

    The arithmetic is on Python's integers, and nothing is allocated.
    """
    if (fault := dims_fault(tensor.dims)) or tensor.dtype == STRING:
        return fault
    if tensor.dtype not in DTYPES:
        return f"has the unknown element type {tensor.dtype}"
    if tensor.external is not None:
        return None
    stored = _stored_bytes(tensor)
    if stored is not None and stored != tensor.size_bytes:
        return f"needs {tensor.size_bytes} bytes and holds {stored}"
    return None


def _stored_bytes(tensor: Tensor) -> int | None:
    # Packed lists of variable-length numbers cannot be checked without reading them.
    if tensor.raw is not None:
        return len(tensor.raw)
    if tensor.payload is not None and tensor.payload.field in _FIXED_SIZE_FIELDS:
        return tensor.payload.length
    return None


def dims_fault(dims: Iterable[int | str | None]) -> str | None:
    """Say what is wrong with dimensions; None when nothing is."""
    elements = 1
    for dim in dims:
        if not isinstance(dim, int):
            continue
        if dim < 0:
            return f"has the negative dimension {dim}"
        elements *= max(dim, 1)
    return "has more elements than can be counted" if elements > _MOST_ELEMENTS else None


def type_dims(info: TypeInfo | None) -> tuple[int | str | None, ...]:
    """The dimensions of a type, or none where it has no shape."""
    while info is not None and info.element is not None:
        info = info.element
    return info.shape or () if info is not None else ()
