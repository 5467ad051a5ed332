"""Plug-in look-up: a plug-in exists because its file is in the folder, or by an entry point."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from profiler.core.errors import InputError


def names(package: str) -> tuple[str, ...]:
    """List the plug-ins of a package without importing any of them.

    The file `tvm_cpu.py` is the plug-in `tvm-cpu`. Other distributions add plug-ins through the
    entry point group `nasprof.<last part of the package name>`.
    Raises: InputError when an entry point takes the name of a plug-in that exists already.
    """
    return tuple(sorted({*_files(package), *_entries(package)}))


def load(package: str, name: str) -> Any:
    """Import one plug-in and return its `PLUGIN` object.

    `NAME:ARGUMENT` is what the plug-in NAME is `made_for` the argument.
    Raises: InputError when there is no such plug-in; the message lists those that exist.
    """
    name, colon, argument = name.partition(":")
    found = _load(package, name)
    if not colon:
        return found
    if not hasattr(found, "made_for"):
        raise InputError(f"{name} takes nothing after a colon")
    return found.made_for(argument)


def _load(package: str, name: str) -> Any:
    entries = _entries(package)
    if name in entries:
        return entries[name].load()
    if name not in _files(package):
        kind = package.rpartition(".")[2].replace("_", " ")
        raise InputError(f"unknown name {name!r}; the {kind} are: {', '.join(names(package))}")
    return importlib.import_module(f"{package}.{name.replace('-', '_')}").PLUGIN


def _files(package: str) -> frozenset[str]:
    path = importlib.import_module(package).__path__
    return frozenset(
        found.name.replace("_", "-")
        for found in pkgutil.iter_modules(path)
        if not found.name.startswith("_")
    )


def _entries(package: str) -> dict[str, EntryPoint]:
    group = f"nasprof.{package.rpartition('.')[2]}"
    found = {entry.name: entry for entry in entry_points(group=group)}
    if clash := sorted(found.keys() & _files(package)):
        raise InputError(
            f"plug-in {clash[0]!r} of {found[clash[0]].value!r} has the name of a built-in one; "
            "rename the entry point or uninstall its distribution"
        )
    return found
