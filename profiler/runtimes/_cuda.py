"""A CUDA stream with two timing events, through the CUDA runtime library itself."""

from __future__ import annotations

import ctypes
import sysconfig
from pathlib import Path
from typing import Any

from profiler.core.errors import UnavailableError

_NAMES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so")


class Stream:
    """A stream of the current device; `begin` and `end` are marked on it."""

    def __init__(self) -> None:
        self._cuda = _library()
        self._stream = ctypes.c_void_p()
        self._marks = ctypes.c_void_p(), ctypes.c_void_p()
        self._ask("cudaStreamCreateWithFlags", ctypes.byref(self._stream), ctypes.c_uint(1))
        for mark in self._marks:
            self._ask("cudaEventCreate", ctypes.byref(mark))

    @property
    def address(self) -> int:
        """The stream as the number that libraries take for a pointer."""
        return self._stream.value or 0

    def begin(self) -> None:
        """Mark the start of the work that follows."""
        self._ask("cudaEventRecord", self._marks[0], self._stream)

    def end(self) -> None:
        """Mark the end of the work so far."""
        self._ask("cudaEventRecord", self._marks[1], self._stream)

    def wait(self) -> None:
        """Return when the end mark was passed."""
        self._ask("cudaEventSynchronize", self._marks[1])

    def device_ns(self) -> int:
        """Time between the marks, to half a microsecond."""
        milliseconds = ctypes.c_float()
        self._ask("cudaEventElapsedTime", ctypes.byref(milliseconds), *self._marks)
        return round(milliseconds.value * 1e6)

    def _ask(self, name: str, *arguments: Any) -> None:
        code = getattr(self._cuda, name)(*arguments)
        if code:
            self._cuda.cudaGetErrorString.restype = ctypes.c_char_p
            text = self._cuda.cudaGetErrorString(code)
            raise RuntimeError(f"CUDA failure {code} in {name}: {text.decode()}")


def _library() -> ctypes.CDLL:
    """The runtime that is loaded or installed: of the system, or of NVIDIA's wheels.

    Raises: UnavailableError where there is none.
    """
    folder = Path(sysconfig.get_paths()["purelib"]) / "nvidia"
    wheels = [str(path) for path in sorted(folder.glob("*/lib/libcudart.so.*"), reverse=True)]
    for name in (*_NAMES, *wheels):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise UnavailableError("the CUDA runtime library (libcudart) was not found; install CUDA")
