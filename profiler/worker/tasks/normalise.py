"""Write a normalised copy of an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exporters.normalise import normalise


def run(arguments: dict[str, Any], send: Any) -> dict[str, Any]:
    """Arguments: source and destination (paths)."""
    send({"stage": "imported"})
    normalise(Path(arguments["source"]), Path(arguments["destination"]))
    return {}
