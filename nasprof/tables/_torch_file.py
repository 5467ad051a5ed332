"""Reading `.pt` and `.pth` files without torch: containers, numbers, tensors as arrays."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from nasprof.tables._unpickle import Made, unpickle
from profiler.core.errors import InputError

_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
# The number that files of torch before 1.6 begin with.
_MAGIC = 0x1950A86A20F9469CFC6C
_MOST_UNPACKED = 1 << 34


def load_torch_file(path: Path) -> Any:
    """Read what `torch.save` wrote; tensors become arrays.

    Raises: InputError when the file asks for any class, is damaged or of another kind.
    """
    try:
        with path.open("rb") as file:
            if zipfile.is_zipfile(file):
                return _from_zip(path, file)
            file.seek(0)
            return _from_stream(path, file)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read: {error}") from None


class _StorageKind:
    """Stands for a torch storage class."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


class _Storage:
    """The numbers behind tensors; in the older format they come after the pickle."""

    __slots__ = ("data", "dtype", "size")

    def __init__(self, dtype: str, size: int) -> None:
        self.dtype, self.size = dtype, size
        self.data = b""


class _Tensor(Made):
    """A view of a storage."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(self, storage: Any, offset: Any, shape: Any, strides: Any) -> None:
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor without a storage")
        self.storage, self.offset = storage, int(offset)
        self.shape = tuple(int(size) for size in shape)
        self.strides = tuple(int(step) for step in strides)

    def plain(self) -> Any:
        """The tensor as an array; only whole, dense ones are read."""
        flat = np.frombuffer(self.storage.data, dtype=self.storage.dtype)
        dense = tuple(prod(self.shape[axis + 1 :]) for axis in range(len(self.shape)))
        end = self.offset + prod(self.shape)
        if self.strides != dense or self.offset < 0 or end > len(flat):
            raise InputError("a tensor that is not dense is not read")
        return flat[self.offset : end].reshape(self.shape)


class _Rebuild:
    """Stands for torch's function that makes a tensor of a storage."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> _Tensor:
        return _Tensor(storage, offset, shape, strides)


_EXTRA: Mapping[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _Rebuild(),
    ("torch._utils", "_rebuild_tensor"): _Rebuild(),
    **{("torch", name): _StorageKind(dtype) for name, dtype in _DTYPES.items()},
}


def _from_zip(path: Path, file: IO[bytes]) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise InputError(f"{path} is no file of torch: it has no data.pkl")
        if sum(info.file_size for info in archive.infolist()) > _MOST_UNPACKED:
            raise InputError(f"{path} unpacks to more than {_MOST_UNPACKED >> 30} GiB")
        root = names[0].removesuffix("data.pkl")

        def storage(pid: Any) -> _Storage:
            found = _storage(pid)
            found.data = archive.read(f"{root}data/{pid[2]}")
            return found

        return unpickle(io.BytesIO(archive.read(names[0])), str(path), _EXTRA, storage)


def _from_stream(path: Path, file: IO[bytes]) -> Any:
    if unpickle(file, str(path)) != _MAGIC:
        raise InputError(f"{path} is no file of torch")
    unpickle(file, str(path))  # version of the format
    unpickle(file, str(path))  # word sizes of the writer
    storages: dict[str, _Storage] = {}

    def storage(pid: Any) -> _Storage:
        return storages.setdefault(str(pid[2]), _storage(pid))

    return unpickle(file, str(path), _EXTRA, storage, lambda: _fill(path, file, storages))


def _fill(path: Path, file: IO[bytes], storages: Mapping[str, _Storage]) -> None:
    for key in unpickle(file, str(path)):
        found = storages[str(key)]
        count = int.from_bytes(file.read(8), "little")
        if count != found.size:
            raise InputError(f"{path} is damaged: a tensor has another size than announced")
        found.data = file.read(count * np.dtype(found.dtype).itemsize)


def _storage(pid: Any) -> _Storage:
    kind, size = pid[1], int(pid[4])
    if pid[0] != "storage" or not isinstance(kind, _StorageKind) or size < 0:
        raise ValueError("a reference that is no storage")
    return _Storage(kind.dtype, size)
