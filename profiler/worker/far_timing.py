"""Rounds of samples that a command took: the way to it and back is no part of them."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from profiler.core.outcome import Round
from profiler.core.target import BenchPlan
from profiler.runtimes._runtime import FarCall
from profiler.worker.timing import runs_per_sample

_FIRST = 3


def take_far_round(call: FarCall, plan: BenchPlan, deadline_ns: int) -> Round:
    """Ask for samples until the plan's time and count are met, or the deadline has passed.

    What the command does not tell of switches, faults and its processor's time is 0; how much
    others used meanwhile is unknown.
    """
    block = runs_per_sample(median(call.times_ns(_FIRST, 1).wall_ns))
    end = time.perf_counter_ns() + int(plan.round_s * 1e9)
    wall: list[int] = []
    cpu: list[int] = []
    switches: list[int] = []
    faults: list[int] = []
    while True:
        count = max(plan.min_samples - len(wall), _FIRST)
        got = call.times_ns(count, block)
        wall += got.wall_ns
        cpu += got.cpu_ns or [0] * count
        switches += got.switches or [0] * count
        faults += got.faults or [0] * count
        now = time.perf_counter_ns()
        if (now >= end and len(wall) >= plan.min_samples) or now >= deadline_ns:
            break
    return Round(
        tuple(wall), tuple(cpu), tuple(switches), tuple(faults), runs_per_sample=block
    )  # fmt: skip


def memory_bytes(session: Any, own: tuple[int, int]) -> tuple[int, int]:
    """Memory before loading and its peak: the command's where the model is loaded there."""
    found: tuple[int, int] = getattr(session, "memory_bytes", own)
    return found
