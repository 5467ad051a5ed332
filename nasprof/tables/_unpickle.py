"""Reading pickles of other people: arrays, numbers, text and containers, and nothing that runs."""

from __future__ import annotations

import pickle  # noqa: TID251  the one place: every class is looked up in a closed list
from collections import OrderedDict
from collections.abc import Callable, Mapping
from math import prod
from typing import IO, Any

import numpy as np

from profiler.core.errors import InputError

Admitted = Mapping[tuple[str, str], Any]


def unpickle(
    file: IO[bytes],
    source: str,
    extra: Admitted | None = None,
    persistent: Callable[[Any], Any] | None = None,
    finish: Callable[[], None] | None = None,
) -> Any:
    """Read one pickle from an open file; `source` names it in messages.

    `extra` admits more names, `persistent` reads references to data outside the pickle, `finish`
    is called once the pickle was read and before its values are taken.
    Raises: InputError when the pickle asks for any other class, naming it, or is damaged.
    """
    reader = _Reader(file, source, {**_ADMITTED, **(extra or {})}, persistent)
    try:
        loaded = reader.load()
        if finish is not None:
            finish()
        return _plain(loaded, set())
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  a damaged pickle raises nearly any error
        reason = f"{type(error).__name__}: {error}".strip(": ")
        raise InputError(f"{source} is a damaged pickle ({reason})") from None


class _Reader(pickle.Unpickler):
    def __init__(
        self,
        file: IO[bytes],
        source: str,
        admitted: Admitted,
        persistent: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__(file, encoding="latin1")
        self._source, self._admitted, self._persistent = source, admitted, persistent

    def find_class(self, module: str, name: str) -> Any:
        """Give the stand-in of an admitted name.

        Raises: InputError for every other name.
        """
        try:
            return self._admitted[module, name]
        except KeyError:
            raise InputError(
                f"{self._source} is refused: its pickle asks for {module}.{name}; only arrays, "
                "numbers, text and plain containers are read"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        """Read data that the pickle refers to.

        Raises: InputError where the format has none.
        """
        if self._persistent is None:
            raise InputError(f"{self._source} is refused: its pickle refers to outside data")
        return self._persistent(pid)


class Made:
    """An object that a pickle made through a stand-in; `plain` is what it stands for."""

    __slots__ = ()

    def plain(self) -> Any:
        """The value that the caller gets."""
        raise NotImplementedError


class _Dtype(Made):
    """A numpy type by name. numpy's own would believe flags in the file, which can crash it."""

    __slots__ = ("text",)
    _KINDS = "biufcSU"

    def __init__(self, text: str) -> None:
        found = np.dtype(text)
        if found.kind not in self._KINDS and text not in ("O", "O8"):
            raise ValueError(f"type {text!r} is not read")
        self.text = found.str

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # (version, byte order, base type, field names, fields, then sizes that the text tells too)
        version, order, *structure = state[:5]
        if version not in (3, 4) or order not in "<>|=" or any(structure):
            raise ValueError("structured types are not read")
        if order in "<>" and self.text[0] in "<>=":
            self.text = order + self.text[1:]

    def plain(self) -> np.dtype[Any]:
        """The type."""
        return np.dtype(self.text)


class _Array(Made):
    """An array whose contents follow."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Any = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        self.value = _array(data, dtype, shape, "F" if fortran else "C")

    def plain(self) -> Any:
        """The array; one of objects becomes nested lists."""
        return self.value


class _StandIn:
    """A callable that a pickle cannot change: it has no attributes."""

    __slots__ = ()


class _Reconstruct(_StandIn):
    def __call__(self, kind: Any, shape: Any, code: Any) -> _Array:
        if kind is not _ADMITTED["numpy", "ndarray"] or tuple(shape) != (0,):
            raise ValueError("only plain arrays are read")
        return _Array()


class _Scalar(_StandIn):
    def __call__(self, dtype: _Dtype, data: bytes = b"") -> Any:
        return _array(data, dtype, (), "C").item()


class _FromBuffer(_StandIn):
    def __call__(self, data: bytes, dtype: _Dtype, shape: Any, order: str) -> Any:
        return _array(data, dtype, shape, order)


class _MakeDtype(_StandIn):
    def __call__(self, text: str, align: Any = False, copy: Any = True) -> _Dtype:
        return _Dtype(str(text))


class _Latin1(_StandIn):
    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise ValueError(f"encoding {encoding!r} is not read")
        return text.encode("latin1")


class _NdArray(_StandIn):
    """Stands for numpy.ndarray as an argument; calling it is not possible."""


def _array(data: Any, dtype: Any, shape: Any, order: str) -> Any:
    if not isinstance(dtype, _Dtype) or order not in ("C", "F"):
        raise ValueError("an array without a plain type")
    sizes = tuple(int(size) for size in shape)
    found = dtype.plain()
    if found.kind == "O":
        if not isinstance(data, list) or len(data) != prod(sizes):
            raise ValueError("an array of objects without its list")
        return data
    raw = data.encode("latin1") if isinstance(data, str) else bytes(data)
    if min(sizes, default=0) < 0 or len(raw) != prod(sizes) * found.itemsize:
        raise ValueError("the contents of an array do not fit its shape")
    return np.frombuffer(raw, dtype=found).reshape(sizes, order="F" if order == "F" else "C")


_ADMITTED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("numpy", "ndarray"): _NdArray(),
    ("numpy", "dtype"): _MakeDtype(),
    ("_codecs", "encode"): _Latin1(),
}
for _core in ("numpy.core", "numpy._core"):
    _ADMITTED[f"{_core}.multiarray", "_reconstruct"] = _Reconstruct()
    _ADMITTED[f"{_core}.multiarray", "scalar"] = _Scalar()
    _ADMITTED[f"{_core}.numeric", "_frombuffer"] = _FromBuffer()
for _builtins in ("builtins", "__builtin__"):
    for _kind in (set, frozenset, complex):
        _ADMITTED[_builtins, _kind.__name__] = _kind


def _plain(value: Any, above: set[int]) -> Any:
    """Put what stand-ins stand for in their places, all the way down."""
    if isinstance(value, Made):
        return _plain(value.plain(), above)
    if isinstance(value, dict | list | tuple | set | frozenset):
        if id(value) in above:
            raise InputError("a pickle is refused: a container holds itself")
        above = above | {id(value)} if len(above) < _DEEPEST else _too_deep()
        if isinstance(value, dict):
            return {_plain(k, above): _plain(v, above) for k, v in value.items()}
        return type(value)(_plain(item, above) for item in value)
    if isinstance(value, _StandIn | type):
        raise InputError("a pickle is refused: it holds a class where data should be")
    return value


_DEEPEST = 100


def _too_deep() -> set[int]:
    raise InputError("a pickle is refused: containers are nested too deeply")
