"""Reference outputs: ONNX Runtime on the CPU without graph optimisation, kept by content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from exporters.model_file import ModelFile
from profiler.core.errors import MeasurementError
from profiler.core.plain import to_plain
from profiler.core.tensor import TensorSpec
from profiler.worker.feeds import make_feeds
from profiler.worker.launch import Launch, launch
from profiler.worker.run import run_model


def reference_outputs(
    model: ModelFile,
    inputs: Sequence[TensorSpec],
    seed: int,
    folder: Path,
    deadline_s: float,
    start: Launch = launch,
) -> Path | None:
    """Return a file with the model's reference outputs for the inputs of a seed.

    The file holds `names` and `arr_0`, `arr_1` and so on. None when the reference itself does not
    run; the outputs are then not compared, and said to be unknown.
    """
    identity = json.dumps([model.sha256, to_plain(tuple(inputs)), seed, version("numpy"), _ort()])
    path = folder / f"{hashlib.sha256(identity.encode()).hexdigest()}.npz"
    if path.exists():
        return path
    try:
        (outputs,) = run_model(model.path, [make_feeds(inputs, seed)], deadline_s, "none", start)
    except MeasurementError:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{path.stem}-{os.getpid()}.npz"
    np.savez(temporary, *outputs.values(), names=np.array(list(outputs)))
    temporary.replace(path)
    return path


def _ort() -> str:
    for name in ("onnxruntime-gpu", "onnxruntime"):
        try:
            return version(name)
        except ImportError:
            continue
    return "unknown"
