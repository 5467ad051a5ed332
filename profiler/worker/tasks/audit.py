"""Time one input again and again beside ever new ones: does the runtime remember results?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from profiler.core.errors import ModelError
from profiler.core.intervals import median
from profiler.core.outcome import FailureKind
from profiler.core.plain import from_plain
from profiler.core.plugins import load
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.runtimes._runtime import Runtime, Session
from profiler.worker.feeds import make_feeds

_BLOCKS, _RUNS = 8, 10


def run(arguments: dict[str, Any], send: Any) -> dict[str, Any]:
    """Arguments: model (path), target, inputs, seed. The result is `same_ns` and `varied_ns`.

    Both kinds bind their inputs before every run, outside the time, and take turns in blocks.
    """
    target: Target = from_plain(Target, arguments["target"])
    inputs = from_plain(tuple[TensorSpec, ...], arguments["inputs"])
    runtime: Runtime = load("profiler.runtimes", target.runtime)
    send({"stage": "imported"})
    session = runtime.load(Path(arguments["model"]), target)
    send({"stage": "loaded"})
    if {spec.name for spec in session.inputs} != {spec.name for spec in inputs}:
        raise ModelError(FailureKind.BAD_INPUT, "the runtime wants other inputs than the model's")
    first = arguments["seed"]
    _block(session, inputs, [first] * _RUNS)
    send({"stage": "warm"})
    same: list[float] = []
    varied: list[float] = []
    for block in range(_BLOCKS):
        same += _block(session, inputs, [first] * _RUNS)
        varied += _block(session, inputs, [first + 1 + block * _RUNS + n for n in range(_RUNS)])
        send({"stage": "timing"})
    return {"same_ns": median(same), "varied_ns": median(varied)}


def _block(session: Session, inputs: tuple[TensorSpec, ...], seeds: list[int]) -> list[float]:
    times: list[float] = []
    for seed in seeds:
        call = session.bind(make_feeds(inputs, seed))
        began = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - began)
    return times[2:]  # the first runs of a block pay for the block before
