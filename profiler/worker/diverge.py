"""Which node of a model makes a target's outputs differ; asked in a worker of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profiler.core.outcome import OutputError
from profiler.core.plain import from_plain, to_plain
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.worker.classify import result_of
from profiler.worker.launch import Job, Launch, launch

_DEADLINE_S = 300.0


def first_difference(
    reference: Path,
    model: Path,
    target: Target,
    inputs: Sequence[TensorSpec],
    seed: int,
    start: Launch = launch,
) -> str:
    """Name the first node whose values differ by more than the target's precision explains.

    Both files are ONNX models; the reference runs on ONNX Runtime's CPU without optimisation. The
    text is empty where no single node can be named.
    """
    if model.suffix != ".onnx":
        return ""
    arguments = {
        "reference": str(reference.resolve()), "model": str(model.resolve()),
        "target": to_plain(target.at_load), "inputs": to_plain(tuple(inputs)), "seed": seed,
    }  # fmt: skip
    found, _ = result_of(start(Job("diverge", arguments, _DEADLINE_S, runtime=target.runtime)))
    if not found:
        return ""
    error = from_plain(OutputError, found["error"])
    node = f"{found['node']} {found['name']!r}" if found["name"] else found["node"]
    return (
        f"the first node that differs is {node}: its output {found['value']!r} is off by "
        f"{error.relative:.2g} of its scale"
    )
