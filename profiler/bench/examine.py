"""Count the static cost of a model in a worker: shape inference can crash on a valid file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from profiler.core.cost import GraphCost
from profiler.core.errors import ModelError
from profiler.core.plain import from_plain
from profiler.worker.classify import result_of
from profiler.worker.launch import Job, Launch, launch


def examine(
    path: Path, dims: Mapping[str, int], deadline_s: float = 120.0, start: Launch = launch
) -> GraphCost:
    """Count MACs, FLOPs, parameters and memory of a model.

    Raises: ModelError with the reason when it cannot be counted.
    """
    arguments = {"model": str(path.resolve()), "dims": dict(dims)}
    found, problem = result_of(start(Job("cost", arguments, deadline_s)))
    if found is None or problem is not None:
        kind = problem.kind if problem else "protocol_error"
        raise ModelError(kind, f"{path}: {problem.message if problem else 'no result'}")
    cost: GraphCost = from_plain(GraphCost, found)
    return cost
