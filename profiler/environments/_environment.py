"""What an environment plug-in is: `PLUGIN: Environment`, with a file of pins beside it."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from profiler.core import plugins

ENVIRONMENTS = "profiler.environments"
READY = "ready.json"
# What nasprof's own side of a worker imports there.
WORKER_REQUIREMENTS = ("numpy", "nvidia-ml-py")


@dataclass(frozen=True, slots=True)
class Environment:
    """Packages that need an interpreter of their own, and which plug-ins use it.

    `requirements` are installed in this order: torch before what would choose its build. `pins` is
    a file with the exact version of every package. `imports` is the module whose import shows that
    the environment works.
    """

    requirements: tuple[str, ...]
    pins: Path
    imports: str
    runtimes: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Installed:
    """What was installed. Unit: bytes and seconds."""

    versions: Mapping[str, str]
    size_bytes: int
    seconds: float


def folder_of(name: str) -> Path:
    """Where an environment is or would be."""
    import platformdirs

    cache_dir = Path(platformdirs.user_cache_dir("nasprof", appauthor=False))
    return cache_dir / "environments" / name


def interpreter_in(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def identity(name: str) -> str:
    """Changes when the pins or the interpreter do: what was installed before is out of date."""
    environment: Environment = plugins.load(ENVIRONMENTS, name)
    parts = [environment.requirements, environment.pins.read_text(), sys.version_info[:2]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def installed(name: str) -> Installed | None:
    """What is installed and up to date; None when it is not."""
    folder = folder_of(name)
    try:
        found: dict[str, Any] = json.loads((folder / READY).read_text())
        if found["identity"] != identity(name) or not interpreter_in(folder).exists():
            return None
        return Installed(found["versions"], found["size_bytes"], found["seconds"])
    except (OSError, ValueError, KeyError):
        return None


def install_command(name: str) -> str:
    """What a person types to get it."""
    return f"nasprof runtimes install {name}"


@cache
def of_runtime(runtime: str) -> str | None:
    """The environment that a runtime runs in; None for nasprof's own."""
    return _first(lambda environment: runtime in environment.runtimes)


@cache
def of_format(name: str) -> str | None:
    """The environment that a format is converted in; None for nasprof's own."""
    return _first(lambda environment: name in environment.formats)


def interpreter_for(environment: str | None) -> str:
    """The interpreter for workers; nasprof's own where the environment is not installed.

    There the worker then says what is missing.
    """
    if environment is None or installed(environment) is None:
        return sys.executable
    return str(interpreter_in(folder_of(environment)))


def _first(wanted: Any) -> str | None:
    names = plugins.names(ENVIRONMENTS)
    return next((name for name in names if wanted(plugins.load(ENVIRONMENTS, name))), None)
