"""The source code behind a class or function, as a hash."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from types import FunctionType

_OWN = ("nasprof", "exporters", "profiler", "reports")
# Covered by the versions of torch and Python themselves.
_FIXED = ("torch", *sys.stdlib_module_names)
_LIBRARIES = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
_STANDARD = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))


class UnknownCodeError(Exception):
    """Code that is in no file: typed into a session or generated."""


def class_code(kind: type) -> bytes:
    """Hash the code of a class and its bases.

    Raises: UnknownCodeError when a part of it is in no file.
    """
    digest = hashlib.sha256()
    for base in kind.__mro__[:-1]:
        for name, value in vars(base).items():
            generated = name.startswith("__")  # as dataclasses do
            if isinstance(value, FunctionType) and not generated:
                _require_file(value)
        digest.update(f"{base.__module__}.{base.__qualname__}\0".encode())
        digest.update(_module_code(base.__module__))
    return digest.digest()


def function_code(function: FunctionType) -> bytes:
    """Hash the code of a function, by the module that defines it.

    Raises: UnknownCodeError when it is in no file.
    """
    _require_file(function)
    name = f"{function.__module__}.{function.__qualname__}\0{function.__code__.co_firstlineno}"
    return hashlib.sha256(name.encode() + _module_code(function.__module__)).digest()


def _require_file(function: FunctionType) -> None:
    if not _is_file(function.__code__.co_filename):
        raise UnknownCodeError


def _module_code(name: str) -> bytes:
    """Hash a module's file; of a person's own code also what else of its folder is imported."""
    root = name.partition(".")[0]
    if root in _FIXED:
        return b"library"
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None or not _is_file(file):
        raise UnknownCodeError
    if file.startswith(_LIBRARIES):
        return _file_hash(file)
    folder = Path(file).parent
    files = {str(found) for found in folder.glob("*.py")} if root in _OWN else _imported(folder)
    return b"".join(_file_hash(found) for found in sorted(files | {file}))


def _imported(folder: Path) -> set[str]:
    """Files below a folder that were imported and belong to no library."""
    loaded = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    start = f"{folder}/"
    return {
        file
        for file in loaded
        if file and file.startswith(start) and not file.startswith(_LIBRARIES + _STANDARD)
    }


def _file_hash(file: str) -> bytes:
    try:
        found = Path(file).stat()
    except OSError:
        raise UnknownCodeError from None
    return _content_hash(file, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4096)
def _content_hash(file: str, changed_ns: int, size: int) -> bytes:
    return hashlib.sha256(Path(file).read_bytes()).digest()


@lru_cache(maxsize=4096)
def _is_file(name: str) -> bool:
    return Path(name).is_file()
