"""Run a model once in a worker, for its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from profiler.core.errors import MeasurementError
from profiler.runtimes._runtime import Array
from profiler.worker.classify import result_of
from profiler.worker.folders import private_folder
from profiler.worker.launch import Job, Launch, launch


def run_model(
    path: Path,
    feeds: Sequence[Mapping[str, Array]],
    deadline_s: float = 120.0,
    optimization: str = "all",
    start: Launch = launch,
) -> list[dict[str, Array]]:
    """Run a model on ONNX Runtime CPU in a fresh worker, once for each set of inputs.

    Raises: MeasurementError with the reason when the worker crashes or hangs.
    """
    with private_folder() as folder:
        files = [folder / f"feeds-{index}.npz" for index in range(len(feeds))]
        outputs = [folder / f"outputs-{index}.npz" for index in range(len(feeds))]
        for file, arrays in zip(files, feeds, strict=True):
            np.savez(file, *arrays.values(), names=np.array(list(arrays)))
        arguments = {
            "model": str(path.resolve()), "optimization": optimization,
            "feeds": [str(file) for file in files], "outputs": [str(file) for file in outputs],
        }  # fmt: skip
        _, problem = result_of(start(Job("run", arguments, deadline_s, runtime="onnxruntime-cpu")))
        if problem is not None:
            raise MeasurementError(f"{path.name} does not run: {problem.kind}: {problem.message}")
        return [_read(file) for file in outputs]


def _read(file: Path) -> dict[str, Array]:
    with np.load(file, allow_pickle=False) as stored:
        return {str(name): stored[f"arr_{index}"] for index, name in enumerate(stored["names"])}
