"""Count the static cost of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from profiler.core.plain import to_plain
from profiler.cost.count import count_file


def run(arguments: dict[str, Any], send: Any) -> dict[str, Any]:
    """Arguments: model (path), dims (sizes of symbolic dimensions). The result is a GraphCost."""
    send({"stage": "imported"})
    found: dict[str, Any] = to_plain(count_file(Path(arguments["model"]), arguments["dims"]))
    return found
