"""Look conventions up by name."""

from __future__ import annotations

from profiler.core.errors import InputError
from profiler.core.plugins import load, names
from profiler.cost.conventions._convention import Convention

_PACKAGE = "profiler.cost.conventions"


def convention_names() -> tuple[str, ...]:
    """The conventions there are."""
    return names(_PACKAGE)


def convention(name: str) -> Convention:
    """Look a convention up.

    Raises: InputError when there is none of that name; the message lists those that exist.
    """
    if name not in convention_names():
        shown = ", ".join(convention_names())
        raise InputError(f"unknown convention {name!r}; the conventions are: {shown}")
    found: Convention = load(_PACKAGE, name)
    return found
