"""Count the static cost of a model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from profiler.cost.count import count_file


def run(arguments: dict[str, Any], send: Any) -> dict[str, Any]:
    """Arguments: model (path), dims (sizes of symbolic dimensions). The result is a GraphCost."""
    send({"stage": "imported"})
    return asdict(count_file(Path(arguments["model"]), arguments["dims"]))
