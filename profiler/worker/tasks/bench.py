"""Load a model on a runtime, run it once, warm up, take rounds of samples, compare its outputs."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from profiler import parity
from profiler.core.environment import Conditions
from profiler.core.errors import ModelError
from profiler.core.outcome import Attempt, FailureKind, OutputError, Round
from profiler.core.pace import enough
from profiler.core.plain import from_plain, to_plain
from profiler.core.plugins import load
from profiler.core.target import BenchPlan, Target
from profiler.core.tensor import TensorSpec
from profiler.gpu import Gpu, first
from profiler.runtimes._runtime import Array, Call, DeviceCall, FarCall, Runtime, Session
from profiler.worker import timing
from profiler.worker.conditions import read_conditions
from profiler.worker.device_timing import take_device_round, transfer_ns
from profiler.worker.energy import find_meter, idle, spend
from profiler.worker.far_timing import memory_bytes, take_far_round
from profiler.worker.feeds import make_feeds
from profiler.worker.streams import instances, take_parallel_round

# Bits of the significand, by the names that runtimes use; integers say nothing of precision.
_BITS = {
    "fp64": 53, "f64": 53, "fp32": 24, "f32": 24, "tf32": 11, "fp16": 11, "f16": 11, "bf16": 8,
    "int8": 0,
}  # fmt: skip


def run(arguments: dict[str, Any], send: Any) -> dict[str, Any]:
    """Measure in this process; the result is an `Attempt` as JSON.

    Arguments: model (path), target, plan, inputs (specifications with sizes), reference (path of
    the reference outputs, or None), started_ns (monotonic clock when the parent asked,
    or None for a worker that waited for its job), known_pace_ns (the processor's full pace as
    earlier processes saw it; may be left out).
    """
    target: Target = from_plain(Target, arguments["target"])
    plan: BenchPlan = from_plain(BenchPlan, arguments["plan"])
    feeds = make_feeds(from_plain(tuple[TensorSpec, ...], arguments["inputs"]), plan.seed)
    gpu = first() if target.device == "cuda" else None
    before = read_conditions(gpu)
    importing_ns = time.monotonic_ns()
    runtime: Runtime = load("profiler.runtimes", target.runtime)
    send({"stage": "imported"})
    asked_ns = arguments["started_ns"]
    imported_ns = time.monotonic_ns()
    metered = idle(find_meter(gpu))
    base_rss = _rss_bytes()
    model = Path(arguments["model"])
    load_ns, session = _timed(lambda: runtime.load(model, target))
    send({"stage": "loaded"})
    _check_names(session, feeds)
    _check_placement(session, target)
    call = session.bind(feeds)
    first_run_ns, _ = _timed(call)
    send({"stage": "first_run"})
    warm = timing.warm_up(call, plan)
    send({"stage": "warm"})
    more = instances(session, plan.streams, lambda: runtime.load(model, target))[1:]
    calls = [call, *(_warm(other.bind(feeds), plan) for other in more)]
    known_pace_ns = arguments.get("known_pace_ns")
    timed = partial(_rounds, calls, plan, warm.run_ns, gpu, known_pace_ns, send)
    rounds, energy = spend(metered, timed)
    after = read_conditions(gpu)
    base_rss, peak_rss = memory_bytes(session, (base_rss, _peak_rss_bytes()))
    attempt = Attempt(
        started_ns=None if asked_ns is None else imported_ns - asked_ns,
        load_ns=load_ns,
        first_run_ns=first_run_ns,
        warmup_runs=warm.runs,
        warmup_settled=warm.settled,
        rounds=tuple(rounds),
        base_rss_bytes=base_rss,
        peak_rss_bytes=peak_rss,
        placement=session.placement,
        effective=session.effective,
        output_error=_compare(session.outputs(), arguments["reference"], target),
        before=before,
        after=after,
        transfer_ns=transfer_ns(call.transfer) if isinstance(call, DeviceCall) else None,
        gpu_memory_bytes=_gpu_memory(gpu, before, after) if gpu else None,
        import_ns=imported_ns - importing_ns,
        energy=energy,
        known_pace_ns=known_pace_ns,
    )
    found: dict[str, Any] = to_plain(attempt)
    return found


def _warm(call: Call, plan: BenchPlan) -> Call:
    timing.warm_up(call, plan)
    return call


def _rounds(
    calls: Sequence[Call],
    plan: BenchPlan,
    run_ns: float,
    gpu: Gpu | None,
    pace_ns: float | None,
    send: Any,
) -> list[Round]:
    """The plan's rounds, and up to three times as many more until enough samples ran at pace."""
    call = calls[0]
    block = timing.runs_per_sample(run_ns)
    deadline_ns = time.perf_counter_ns() + int(plan.max_s / plan.processes * 1e9)
    rounds: list[Round] = []
    while len(rounds) < plan.rounds or (
        len(rounds) < 4 * plan.rounds
        and time.perf_counter_ns() < deadline_ns
        and not enough(rounds, pace_ns)
    ):
        if len(calls) > 1:
            rounds.append(take_parallel_round(calls, plan, block, deadline_ns))
        elif isinstance(call, FarCall):
            rounds.append(take_far_round(call, plan, deadline_ns))
        elif isinstance(call, DeviceCall):
            rounds.append(take_device_round(call, plan, block, deadline_ns, gpu))
        else:
            rounds.append(timing.take_round(call, plan, block, deadline_ns))
        send({"stage": "timing"})
    return rounds


def _gpu_memory(gpu: Gpu, before: Conditions, after: Conditions) -> int | None:
    """What this process holds; where processes are hidden, what the GPU's memory grew by."""
    own = gpu.memory_of(os.getpid())
    was, now = (c.gpu.used_bytes if c.gpu else None for c in (before, after))
    return own if own is not None or was is None or now is None else max(now - was, 0)


def _timed(call: Any) -> tuple[int, Any]:
    start = time.perf_counter_ns()
    result = call()
    return time.perf_counter_ns() - start, result


def _check_names(session: Session, feeds: dict[str, Array]) -> None:
    wanted = {spec.name for spec in session.inputs}
    if wanted != feeds.keys():
        raise ModelError(
            FailureKind.BAD_INPUT,
            f"the runtime wants the inputs {sorted(wanted)}, the model file names {sorted(feeds)}",
        )


def _check_placement(session: Session, target: Target) -> None:
    """Refuse a runtime that runs most nodes elsewhere or less exactly than asked.

    A minority is stored and shown; constants and casts of another type are no reason.
    """
    nodes: Counter[str] = Counter()
    for place in session.placement:
        count = 1 if place.nodes is None else place.nodes
        nodes["all"] += count
        nodes["elsewhere"] += count * (place.device == "cpu" != target.device)
        nodes["lower"] += count * (_BITS.get(place.precision, 99) < _BITS[target.precision])
    read = ", ".join(f"{p.device} {p.precision}" for p in session.placement)
    if 2 * nodes["elsewhere"] > nodes["all"]:
        raise ModelError(
            FailureKind.WRONG_DEVICE, f"asked for {target.device}, most nodes run on: {read}"
        )
    if 2 * nodes["lower"] > nodes["all"]:
        raise ModelError(
            FailureKind.WRONG_PRECISION, f"asked for {target.precision}, most nodes run in: {read}"
        )


def _compare(
    outputs: dict[str, Array], reference_file: str | None, target: Target
) -> OutputError | None:
    """Compare with the reference outputs.

    Raises: ModelError `bad_output` when the outputs are not the model's; those of a smaller
    precision are judged where they are shown.
    """
    if reference_file is None:
        return None
    with np.load(reference_file, allow_pickle=False) as stored:
        names = [str(name) for name in stored["names"]]
        reference = {name: stored[f"arr_{index}"] for index, name in enumerate(names)}
    error = parity.compare(reference, outputs)
    if parity.refused(error, target.precision):
        raise ModelError(
            FailureKind.BAD_OUTPUT,
            f"outputs differ from the reference: max abs {error.max_abs:.3g}, relative "
            f"{error.relative:.3g} (ONNX Runtime CPU, unoptimised, same inputs)",
        )
    return error


def _rss_bytes() -> int:
    return _status_bytes("VmRSS")


def _peak_rss_bytes() -> int:
    return _status_bytes("VmHWM")


def _status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")
