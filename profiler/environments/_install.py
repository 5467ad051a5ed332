"""Make and remove an environment; the only place of nasprof that downloads anything."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from profiler.core import plugins
from profiler.core.errors import InputError
from profiler.environments._environment import (
    ENVIRONMENTS,
    READY,
    WORKER_REQUIREMENTS,
    Environment,
    Installed,
    folder_of,
    identity,
    install_command,
    installed,
    interpreter_in,
)

Step = Callable[[int, int, str], None]


def install(name: str, on_step: Step) -> Installed:
    """Make an environment with pinned versions, check that it works, and give it its name.

    Nothing outside its folder changes; a run that is killed leaves no half environment.
    Raises: InputError when there is no such environment, or with the installer's last words.
    """
    environment = _known(name)
    if (found := installed(name)) is not None:
        return found
    folder, started = folder_of(name), time.monotonic()
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        for number, requirement in enumerate(steps := _steps(environment)):
            on_step(number, len(steps) + 1, f"installing {requirement}")
            _install_one(name, staged, requirement, environment.pins)
        on_step(len(steps), len(steps) + 1, f"importing {environment.imports}")
        _run(name, [str(interpreter_in(staged)), "-c", f"import {environment.imports}"])
        done = Installed(_versions(name, staged), _size(staged), time.monotonic() - started)
        facts = {
            "identity": identity(name), "versions": dict(done.versions),
            "size_bytes": done.size_bytes, "seconds": done.seconds,
        }  # fmt: skip
        (staged / READY).write_text(json.dumps(facts, indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        staged.rename(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return done


def remove(name: str) -> bool:
    """Remove an environment; whether there was one.

    Raises: InputError when there is no environment of that name.
    """
    _known(name)
    folder = folder_of(name)
    there = folder.exists()
    shutil.rmtree(folder, ignore_errors=True)
    return there


def _known(name: str) -> Environment:
    names = plugins.names(ENVIRONMENTS)
    if name not in names:
        raise InputError(f"unknown environment {name!r}; there are: {', '.join(names)}")
    found: Environment = plugins.load(ENVIRONMENTS, name)
    return found


def _steps(environment: Environment) -> list[str]:
    return ["pip", *environment.requirements, *WORKER_REQUIREMENTS]


def _install_one(name: str, folder: Path, requirement: str, pins: Path) -> None:
    if requirement == "pip":
        _run(name, [sys.executable, "-m", "venv", "--clear", str(folder)])
        return
    pip = [str(interpreter_in(folder)), "-m", "pip", "install", "--disable-pip-version-check"]
    _run(name, [*pip, "--quiet", "--no-input", "-c", str(pins), requirement])


def _run(name: str, command: list[str]) -> str:
    # Without these variables the installer cannot reach into another environment.
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, env=kept,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        said = next((line for line in lines if line.startswith("ERROR")), lines[-1])
        raise InputError(f"{install_command(name)} failed: {said}")
    return done.stdout


def _versions(name: str, folder: Path) -> dict[str, str]:
    pip = [str(interpreter_in(folder)), "-m", "pip", "list", "--format", "json"]
    listed = json.loads(_run(name, [*pip, "--disable-pip-version-check"]))
    return {entry["name"]: entry["version"] for entry in listed}


def _size(folder: Path) -> int:
    files = (path for path in folder.rglob("*") if not path.is_symlink())
    return sum(path.stat().st_size for path in files if path.is_file())
