"""Run a model once in a worker, for its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from profiler.core.errors import MeasurementError, ModelError
from profiler.core.plain import to_plain
from profiler.core.target import Target
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
    target = Target("onnxruntime-cpu", options=(("optimization", optimization),))
    try:
        return run_target(path, target, feeds, deadline_s, start)
    except ModelError as error:
        raise MeasurementError(str(error)) from error


def run_target(
    path: Path,
    target: Target,
    feeds: Sequence[Mapping[str, Array]],
    deadline_s: float = 120.0,
    start: Launch = launch,
) -> list[dict[str, Array]]:
    """Run what a target loads in a fresh worker, once for each set of inputs.

    Raises: ModelError with kind and reason when the worker gives none.
    """
    with private_folder() as folder:
        files = [folder / f"feeds-{index}.npz" for index in range(len(feeds))]
        outputs = [folder / f"outputs-{index}.npz" for index in range(len(feeds))]
        for file, arrays in zip(files, feeds, strict=True):
            np.savez(file, *arrays.values(), names=np.array(list(arrays)))
        arguments = {
            "model": str(path.resolve()), "target": to_plain(target),
            "feeds": [str(file) for file in files], "outputs": [str(file) for file in outputs],
        }  # fmt: skip
        job = Job("run", arguments, deadline_s, threads=target.threads, runtime=target.runtime)
        _, problem = result_of(start(job))
        if problem is not None:
            raise ModelError(
                problem.kind, f"{path.name} does not run: {problem.kind}: {problem.message}"
            )
        return [read_arrays(file) for file in outputs]


def read_arrays(file: Path) -> dict[str, Array]:
    """Arrays by name from a file that holds `names` and `arr_0`, `arr_1` and so on."""
    with np.load(file, allow_pickle=False) as stored:
        return {str(name): stored[f"arr_{index}"] for index, name in enumerate(stored["names"])}
