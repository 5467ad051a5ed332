"""Weights in files beside the model: what may be opened, and what must never be.

Every component of a path is opened by itself and without following links, so that no file outside
the model's folder can be read through a model.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from exporters.onnx_types import STRING, Tensor
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind
from profiler.core.units import printable

_KEYS = frozenset({"location", "offset", "length", "checksum"})
# A runtime takes a location that starts like this for an address in its own memory.
_MEMORY_MARKER = "_ORT_MEM_ADDR_"
_MOST = 2**63 - 1
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


class Extent(NamedTuple):
    """The bytes of one or more tensors in an external file."""

    location: str
    offset: int
    length: int


def extents(model: Path, tensors: Iterable[Tensor]) -> tuple[Extent, ...]:
    """List the external byte ranges that a model's tensors ask for, sorted.

    Ranges that are equal are one (shared weights); ranges that overlap in part are refused.
    Raises: ModelError of kind `unsafe_model`.
    """
    found = sorted({_extent(model, t) for t in tensors if t.external is not None})
    for first, second in pairwise(found):
        if first.location == second.location and first.offset + first.length > second.offset:
            raise unsafe(model, f"ranges that overlap in {printable(first.location)}")
    return tuple(found)


def _extent(model: Path, tensor: Tensor) -> Extent:
    name = f"tensor {printable(tensor.name)!r}"
    entries = tensor.external or ()
    keys = [key for key, _ in entries]
    if unknown := sorted(set(keys) - _KEYS):
        raise unsafe(model, f"{name} with the unknown external-data key {printable(unknown[0])!r}")
    if len(keys) != len(set(keys)):
        raise unsafe(model, f"{name} with an external-data key given twice")
    values: Mapping[str, str] = dict(entries)
    location = values.get("location", "")
    if fault := location_fault(location):
        raise unsafe(model, f"{name} in {printable(location)!r}, which {fault}")
    if tensor.dtype == STRING or tensor.raw or tensor.values or tensor.payload is not None:
        raise unsafe(model, f"{name} with data both inside and outside or of no fixed size")
    offset = _number(model, name, values.get("offset", "0"))
    length = _number(model, name, values.get("length", str(tensor.size_bytes)))
    if length != tensor.size_bytes:
        raise unsafe(model, f"{name} of {tensor.size_bytes} bytes in a range of {length}")
    if offset + length > _MOST:
        raise unsafe(model, f"{name} at an offset that no file has")
    return Extent(location, offset, length)


def _number(model: Path, name: str, text: str) -> int:
    # int() also takes signs, blanks and underscores, which readers disagree about.
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _MOST):
        raise unsafe(model, f"{name} with the offset or length {printable(text)!r}")
    return int(text)


def location_fault(location: str) -> str | None:
    """Say why a location is not a plain relative path; None when it is one."""
    if not location:
        return "is empty"
    if _MEMORY_MARKER in location:
        return "is an address in memory"
    if "\0" in location or "\\" in location:
        return "holds a character that no portable path has"
    if location.startswith("/") or location[1:2] == ":" or "://" in location:
        return "is not relative to the model"
    if any(part in ("", ".", "..") for part in location.removeprefix("./").split("/")):
        return "may leave the folder of the model"
    return None


def open_external(model: Path, location: str) -> int | None:
    """Open an external file for reading; None when there is none.

    Raises: ModelError of kind `unsafe_model` for a link, a second name of another file, or anything
    that is not a regular file.
    """
    shown = printable(location)
    *folders, last = location.removeprefix("./").split("/")
    folder = os.open(model.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            inner = os.open(part, _FOLDER_FLAGS, dir_fd=folder)
            os.close(folder)
            folder = inner
        descriptor = os.open(last, _FILE_FLAGS, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unsafe(model, f"{shown!r}, which is a link or cannot be opened") from error
    finally:
        os.close(folder)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(descriptor)
        what = "has a second name" if stat.S_ISREG(found.st_mode) else "is not a regular file"
        raise unsafe(model, f"{shown!r}, which {what}")
    return descriptor


def unsafe(model: Path, what: str) -> ModelError:
    """The error for a model that asks for data it must not have."""
    return ModelError(
        FailureKind.UNSAFE_MODEL,
        f"{printable(str(model))}: unsafe external data: {what}; copy the weights as plain files "
        "beside the model and save it again",
    )
