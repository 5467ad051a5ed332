"""A runtime's library, imported with its plug-in: its import is no part of loading a model."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from profiler.core.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Library:
    """A module, or why there is none."""

    name: str
    module: Any
    missing: str
    remedy: str

    def needed(self) -> Any:
        """The module.

        Raises: UnavailableError with the reason and the remedy.
        """
        if self.module is None:
            raise UnavailableError(f"{self.missing}; {self.remedy}")
        return self.module


def library(name: str, remedy: str) -> Library:
    """Import a module; a missing one is a value, so that a probe can tell."""
    try:
        return Library(name, importlib.import_module(name), "", remedy)
    except ImportError as error:
        return Library(name, None, f"{name} is not installed ({error})", remedy)
