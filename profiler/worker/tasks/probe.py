"""Ask one runtime whether it can be used here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from profiler.core.plugins import load
from profiler.runtimes._runtime import Runtime


def run(arguments: dict[str, Any], send: Any) -> dict[str, Any]:
    """Arguments: runtime (name). The result is a RuntimeInfo."""
    runtime: Runtime = load("profiler.runtimes", arguments["runtime"])
    send({"stage": "imported"})
    return asdict(runtime.probe())
