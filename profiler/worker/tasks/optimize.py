"""Optimise an ONNX graph; nothing is measured in the same process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from exporters.fixed_graph import fix
from exporters.optimize import optimise
from profiler.core.plain import from_plain
from profiler.core.tensor import TensorSpec


def run(arguments: dict[str, Any], send: Any) -> dict[str, Any]:
    """Arguments: source and path (files), inputs (specifications with sizes), level.

    The result holds how many nodes there were `before` and `after`.
    """
    copy = Path(tempfile.mkdtemp()) / "model.onnx"
    fix(Path(arguments["source"]), copy, from_plain(tuple[TensorSpec, ...], arguments["inputs"]))
    send({"stage": "imported"})
    before, after = optimise(copy, Path(arguments["path"]), arguments["level"])
    return {"before": before, "after": after}
