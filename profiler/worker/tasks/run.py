"""Run a model on a target and write its outputs to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from profiler.core.plain import from_plain
from profiler.core.plugins import load
from profiler.core.target import Target
from profiler.runtimes._runtime import Runtime


def run(arguments: dict[str, Any], send: Any) -> dict[str, Any]:
    """Run each set of inputs once.

    Arguments: model (path), target, feeds and outputs: lists of files, one a set; an array file
    holds `names` and `arr_0`, `arr_1` and so on.
    """
    target: Target = from_plain(Target, arguments["target"])
    runtime: Runtime = load("profiler.runtimes", target.runtime)
    send({"stage": "imported"})
    session = runtime.load(Path(arguments["model"]), target)
    send({"stage": "loaded"})
    for source, destination in zip(arguments["feeds"], arguments["outputs"], strict=True):
        with np.load(source, allow_pickle=False) as stored:
            feeds = {str(name): stored[f"arr_{i}"] for i, name in enumerate(stored["names"])}
        session.bind(feeds)()
        outputs = session.outputs()
        np.savez(destination, *outputs.values(), names=np.array(list(outputs)))
    send({"stage": "first_run"})
    return {}
