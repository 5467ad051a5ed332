"""Open an ONNX file from outside: checked, identified, its weights left on the disk.

This is the only place where a model enters; it is safe in any process, as no byte of a weight is
interpreted and nothing is allocated by a size that a file declares.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from exporters.external_data import Extent, extents, open_external, unsafe
from exporters.onnx_parse import Parser
from exporters.onnx_tensors import dims_fault, size_fault, type_dims
from exporters.onnx_types import DTYPES, Structure, TypeInfo, ValueInfo
from exporters.onnx_wire import File, WireError
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind
from profiler.core.tensor import TensorSpec
from profiler.core.units import printable

# Versions that every supported onnx knows; newer ones are looked up in the one installed.
_CERTAIN_IR, _CERTAIN_OPSET = 10, 23
_READ_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class ExternalFile:
    """A file beside the model that holds weights; `size_bytes` is None when it is missing."""

    location: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells cheaply that a file is still the one that was hashed."""

    location: str
    size_bytes: int
    changed_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """An ONNX file that was checked.

    Unit: bytes. `sha256` is over the model and every external byte range: for a model without
    external data it is the file's own hash. Initializers are not inputs.
    """

    path: Path
    sha256: str
    size_bytes: int
    ir_version: int
    opsets: tuple[tuple[str, int], ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    external: tuple[ExternalFile, ...]
    metadata: tuple[tuple[str, str], ...]
    stamps: tuple[Stamp, ...]

    def unchanged(self) -> bool:
        """Whether the model and its external files are still those that were hashed."""
        return all(_matches(self.path, stamp) for stamp in self.stamps)


def open_model(path: Path, need_weights: bool = True) -> ModelFile:
    """Check an ONNX file and take its identity.

    Raises: ModelError of kind `invalid_model`, `unsupported` or `unsafe_model`. External files that
    are missing are an error with `need_weights` only; without it they are left out of the identity.
    """
    path = Path(path)
    descriptor = _open(path)
    try:
        size = os.fstat(descriptor).st_size
        model = _checked(path, descriptor, size)
        digest = hashlib.sha256()
        _hash(digest, descriptor, 0, size)
        stamps = [_stamp("", descriptor)]
    finally:
        os.close(descriptor)
    ranges = extents(path, model.tensors)
    external = _hash_external(path, ranges, digest, stamps)
    if need_weights:
        _refuse_missing(path, external)
    constants = {tensor.name for tensor in model.graph.initializers}
    return ModelFile(
        path=path,
        sha256=digest.hexdigest(),
        size_bytes=size,
        ir_version=model.ir_version,
        opsets=model.opsets,
        inputs=tuple(_spec(value) for value in model.graph.inputs if value.name not in constants),
        outputs=tuple(_spec(value) for value in model.graph.outputs),
        external=external,
        metadata=model.metadata,
        stamps=tuple(stamps),
    )


def read_structure(path: Path) -> Structure:
    """Read a model without its weights and without looking for external files.

    Raises: ModelError of kind `invalid_model` or `unsupported`.
    """
    path = Path(path)
    descriptor = _open(path)
    try:
        return _checked(path, descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def invalid(path: Path, reason: str) -> ModelError:
    """The error for a file that is no usable ONNX model."""
    return ModelError(
        FailureKind.INVALID_MODEL, f"{printable(str(path))}: not an ONNX model: {reason}"
    )


def _open(path: Path) -> int:
    # O_NONBLOCK: opening a named pipe would wait for a writer for ever.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise invalid(path, "there is no such file") from error
    except (OSError, ValueError) as error:
        raise invalid(path, "it cannot be opened") from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise invalid(path, "it is a directory" if stat.S_ISDIR(mode) else "it is not a regular file")


def _checked(path: Path, descriptor: int, size: int) -> Structure:
    if size == 0:
        raise invalid(path, "it is empty")
    try:
        model = Parser(File(descriptor, size)).model()
    except (WireError, IndexError, struct.error, UnicodeDecodeError, RecursionError) as error:
        reason = str(error) if isinstance(error, WireError) else "it ends or breaks off too early"
        raise invalid(path, f"it is damaged or of another format ({reason})") from error
    _check_header(path, model)
    for tensor in model.tensors:
        if fault := size_fault(tensor):
            raise invalid(path, f"constant {printable(tensor.name)!r} {fault}")
    for value in (*model.graph.inputs, *model.graph.outputs):
        if fault := dims_fault(type_dims(value.type)):
            raise invalid(path, f"{printable(value.name)!r} {fault}")
    return model


def _check_header(path: Path, model: Structure) -> None:
    if model.ir_version < 1 or not model.graph.outputs:
        raise invalid(path, "it has no IR version or no outputs")
    if model.ir_version >= 3 and not model.opsets:
        raise invalid(path, "it imports no operator set")
    opset = dict(model.opsets).get("", 1)
    if model.ir_version > _CERTAIN_IR and model.ir_version > _newest()[0]:
        raise _unsupported(path, "IR version", model.ir_version, _newest()[0])
    if opset > _CERTAIN_OPSET and opset > _newest()[1]:
        raise _unsupported(path, "opset", opset, _newest()[1])


@cache
def _newest() -> tuple[int, int]:
    # Imported here because it takes longer than all the rest, and most models do not need it.
    import onnx

    return int(onnx.IR_VERSION), int(onnx.defs.onnx_opset_version())


def _unsupported(path: Path, what: str, version: int, newest: int) -> ModelError:
    return ModelError(
        FailureKind.UNSUPPORTED,
        f"{printable(str(path))}: {what} {version} is newer than {newest}, the newest that the "
        "installed onnx knows; update onnx or export with an older version",
    )


def _hash_external(
    path: Path, ranges: tuple[Extent, ...], digest: hashlib._Hash, stamps: list[Stamp]
) -> tuple[ExternalFile, ...]:
    external = []
    for location in sorted({extent.location for extent in ranges}):
        wanted = [extent for extent in ranges if extent.location == location]
        descriptor = open_external(path, location)
        if descriptor is None:
            external.append(ExternalFile(location, None))
            continue
        try:
            size = os.fstat(descriptor).st_size
            _check_ranges(path, wanted, size)
            for extent in wanted:
                digest.update(f"\0{location}\0{extent.offset}\0{extent.length}\0".encode())
                _hash(digest, descriptor, extent.offset, extent.offset + extent.length)
            stamps.append(_stamp(location, descriptor))
        finally:
            os.close(descriptor)
        external.append(ExternalFile(location, size))
    return tuple(external)


def _check_ranges(path: Path, wanted: list[Extent], size: int) -> None:
    for extent in wanted:
        if extent.offset + extent.length > size:
            shown = printable(extent.location)
            raise unsafe(path, f"a range that ends behind the {size} bytes of {shown!r}")


def _refuse_missing(path: Path, external: tuple[ExternalFile, ...]) -> None:
    missing = [file.location for file in external if file.size_bytes is None]
    if missing:
        raise ModelError(
            FailureKind.INVALID_MODEL,
            f"{printable(str(path))}: its weights {printable(missing[0])!r} are missing; put the "
            f"{len(missing)} external file(s) beside the model",
        )


def _hash(digest: hashlib._Hash, descriptor: int, start: int, end: int) -> None:
    buffer = bytearray(_READ_BYTES)
    view = memoryview(buffer)
    while start < end:
        count = os.preadv(descriptor, [view[: min(end - start, _READ_BYTES)]], start)
        if count == 0:
            break
        digest.update(view[:count])
        start += count


def _stamp(location: str, descriptor: int) -> Stamp:
    found = os.fstat(descriptor)
    return Stamp(location, found.st_size, found.st_mtime_ns, found.st_ino)


def _matches(path: Path, stamp: Stamp) -> bool:
    file = path.parent / stamp.location if stamp.location else path
    try:
        found = file.stat()
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns, found.st_ino) == (
        stamp.size_bytes,
        stamp.changed_ns,
        stamp.inode,
    )


def _spec(value: ValueInfo) -> TensorSpec:
    info = value.type
    return TensorSpec(value.name, _dtype_name(info), info.shape if info is not None else None)


def _dtype_name(info: TypeInfo | None) -> str:
    if info is None:
        return "unknown"
    if info.kind in ("sequence", "optional"):
        return f"{info.kind}({_dtype_name(info.element)})"
    if info.kind not in ("tensor", "sparse"):
        return info.kind
    return DTYPES.get(info.dtype, ("unknown", 0))[0]
