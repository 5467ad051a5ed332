"""The timing loop: warm-up, then rounds of samples, each tagged with what disturbed it."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import repeat

from profiler.core.intervals import median
from profiler.core.outcome import DeviceSamples, Round
from profiler.core.target import BenchPlan
from profiler.runtimes._runtime import Call
from profiler.worker.conditions import busy_ticks
from profiler.worker.pace import PaceTags

# A run shorter than this is timed in blocks of about ten times this length, so that reading the
# clock (60 ns) costs at most 1e-4 of a sample.
_SINGLE_RUN_NS = 50_000
_BLOCK_NS = 600_000


@dataclass(frozen=True, slots=True)
class Warmup:
    """How the warm-up went. Unit: `run_ns` is the median of its last window."""

    runs: int
    settled: bool
    run_ns: float


def warm_up(call: Call, plan: BenchPlan) -> Warmup:
    """Run until two windows in a row have medians within 2 %, at least the plan's runs and time.

    Source: warm-up rule of docs/measuring.md.
    """
    clock = time.perf_counter_ns
    start = clock()
    window_ns = plan.warmup_s * 1e9 / 4
    runs, before = 0, float("inf")
    while True:
        window: list[int] = []
        window_start = clock()
        while len(window) < max(plan.warmup_runs // 2, 1) or clock() - window_start < window_ns:
            began = clock()
            call()
            window.append(clock() - began)
        runs += len(window)
        now, elapsed_ns = median(window), clock() - start
        enough = runs >= plan.warmup_runs and elapsed_ns >= plan.warmup_s * 1e9
        if enough and abs(now - before) <= 0.02 * now:
            return Warmup(runs, True, now)
        if elapsed_ns >= plan.warmup_max_s * 1e9:
            return Warmup(runs, False, now)
        before = now


def runs_per_sample(run_ns: float) -> int:
    """One for runs of 50 us and more, else as many as make a sample of 0.6 ms."""
    return 1 if run_ns >= _SINGLE_RUN_NS else max(round(_BLOCK_NS / max(run_ns, 1.0)), 1)


def take_round(call: Call, plan: BenchPlan, block: int, deadline_ns: int) -> Round:
    """Take samples until the plan's time and count are met, or the deadline after three samples.

    Between samples the processor's pace is probed; probes are no part of any sample.
    """
    clock, usage, who = time.perf_counter_ns, resource.getrusage, resource.RUSAGE_SELF
    wall: list[int] = []
    spent = []
    pace, before = PaceTags(), usage(who)
    busy_before, start = busy_ticks(), clock()
    end = start + int(plan.round_s * 1e9)
    while True:
        if block == 1:
            began = clock()
            call()
            ended = clock()
        else:
            count = repeat(None, block)
            began = clock()
            for _ in count:
                call()
            ended = clock()
        wall.append(ended - began)
        after = usage(who)
        spent.append((before, after))
        before = after
        if pace.due(ended):
            pace.probe(len(wall))
            before = usage(who)
        if ended >= end and len(wall) >= plan.min_samples:
            break
        if ended >= deadline_ns and len(wall) >= 3:
            break
    elapsed_s = (clock() - start) / 1e9
    marks = (spent[0][0], spent[-1][1])
    external = external_load(busy_before, marks, elapsed_s)
    return replace(host_round(wall, spent, block, external), pace_ns=pace.tags(len(wall)))


def host_round(
    wall: list[int],
    pairs: Sequence[tuple[resource.struct_rusage, resource.struct_rusage]],
    block: int,
    external: float | None,
    device: DeviceSamples | None = None,
    stream_samples: tuple[int, ...] = (),
) -> Round:
    """Samples with what the process used from before to after each."""
    return Round(
        wall_ns=tuple(wall),
        cpu_ns=tuple(round((_cpu_s(b) - _cpu_s(a)) * 1e9) for a, b in pairs),
        switches=tuple(b.ru_nivcsw - a.ru_nivcsw for a, b in pairs),
        faults=tuple(b.ru_majflt - a.ru_majflt for a, b in pairs),
        runs_per_sample=block,
        external_load=external,
        device=device,
        stream_samples=stream_samples,
    )


def _cpu_s(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def external_load(
    before: int | None, marks: Sequence[resource.struct_rusage], elapsed_s: float
) -> float | None:
    """Cores that others used while a round ran, to the 10 ms of the kernel's ticks."""
    after = busy_ticks()
    if before is None or after is None:
        return None
    others = (after - before) / os.sysconf("SC_CLK_TCK") - (_cpu_s(marks[-1]) - _cpu_s(marks[0]))
    return max(others / elapsed_s, 0.0)
