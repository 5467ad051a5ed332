"""The worker's side, started by `profiler.worker.launch`: read the job, run it, send frames."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from profiler.core import plugins
from profiler.core.errors import ModelError, NasprofError
from profiler.core.outcome import FailureKind
from profiler.worker import limits, wire

Send = Callable[[dict[str, Any]], None]


def main() -> None:
    """Run the job named on the command line.

    Arguments: root folder, job file, result descriptor, parent, and what to import before the job
    comes, as TASK:RUNTIME; empty for a job that is there from the start.
    """
    job_file, descriptor, parent, ahead = sys.argv[2:6]
    limits.tie_to(int(parent))
    limits.stay_offline()
    os.set_inheritable(int(descriptor), False)

    def send(message: dict[str, Any]) -> None:
        wire.send(int(descriptor), message)

    if ahead:
        task, _, runtime = ahead.partition(":")
        _import_ahead(task, runtime)
    send({"stage": "started"})
    if ahead:
        sys.stdin.buffer.read()  # the parent closes the pipe when the job file is written
    job = json.loads(Path(job_file).read_text())
    limits.hold_memory(job["memory_limit_bytes"])
    sys.exit(_run(job["task"], job["arguments"], send))


def _import_ahead(task: str, runtime: str) -> None:
    """Import what a job will import; what cannot be imported is told when the job runs."""
    with suppress(Exception):
        importlib.import_module(f"profiler.worker.tasks.{task}")
        if runtime:
            plugins.load("profiler.runtimes", runtime)


def _run(task: str, arguments: dict[str, Any], send: Send) -> int:
    """Run one task; an exception becomes an error frame and exit code 1."""
    try:
        result = importlib.import_module(f"profiler.worker.tasks.{task}").run(arguments, send)
    except MemoryError:
        return _fail(send, FailureKind.OUT_OF_MEMORY, "memory limit reached")
    except ModelError as error:
        return _fail(send, FailureKind(error.kind), str(error))
    except NasprofError as error:
        return _fail(send, FailureKind.UNSUPPORTED, str(error))
    except Exception as error:  # noqa: BLE001 - whatever a runtime raises is a stored outcome
        return _fail(send, _kind_of(error), f"{type(error).__name__}: {error}")
    send({"stage": "done"})
    send({"result": result})
    return 0


def _fail(send: Send, kind: FailureKind, message: str) -> int:
    send({"error": {"kind": kind.value, "message": " ".join(message.split())[:2000]}})
    return 1


def _kind_of(error: Exception) -> FailureKind:
    """Read the kind from a runtime's own words; runtimes share no exception types."""
    text = f"{type(error).__name__} {error}".lower()
    words = {
        FailureKind.OUT_OF_MEMORY: ("bad_alloc", "failed to allocate memory", "out of memory"),
        FailureKind.UNSUPPORTED: (
            "notimplemented", "not a registered function", "no op registered", "no conversion rule",
            "unsupported", "is under development", "not supported",
        ),
        FailureKind.INVALID_MODEL: ("invalidgraph", "invalidprotobuf", "invalid model", "no graph"),
        FailureKind.BAD_INPUT: ("invalidargument", "invalid_argument"),
        FailureKind.DEVICE_LOST: ("cuda failure", "device lost", "device-side"),
    }  # fmt: skip
    return next(
        (kind for kind, parts in words.items() if any(part in text for part in parts)),
        FailureKind.CRASHED,
    )
