"""Measure the machine's peaks."""

from __future__ import annotations

from typing import Any

from profiler.cost.calibrate import calibrate


def run(arguments: dict[str, Any], send: Any) -> dict[str, Any]:
    """Arguments: threads, seconds (for each precision). The result is `calibrate`'s."""
    send({"stage": "imported"})
    return calibrate(arguments["threads"], arguments["seconds"])
