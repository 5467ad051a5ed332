"""Rounds on a device that works while the host goes on: its own time, the enqueue, its clock."""

from __future__ import annotations

import resource
import time
from itertools import pairwise
from statistics import median

from profiler.core.outcome import DeviceSamples, Round
from profiler.core.target import BenchPlan
from profiler.gpu import Gpu
from profiler.runtimes._runtime import Call, DeviceCall
from profiler.worker.conditions import busy_ticks
from profiler.worker.timing import external_load, host_round

_TRANSFERS = 20


def take_device_round(
    call: DeviceCall, plan: BenchPlan, block: int, deadline_ns: int, gpu: Gpu | None
) -> Round:
    """Take samples until the plan's time and count are met, or the deadline after three samples.

    Wall time runs from before the first mark until the device has passed the last one; the clock
    and what holds it back are read between samples, outside of the timed region.
    """
    clock, usage, who = time.perf_counter_ns, resource.getrusage, resource.RUSAGE_SELF
    wall: list[int] = []
    enqueue: list[int] = []
    device: list[int] = []
    sm_mhz: list[int] = []
    held_back: list[int] = []
    spent = []
    busy_before, start = busy_ticks(), clock()
    end = start + int(plan.round_s * 1e9)
    while True:
        before, began = usage(who), clock()
        call.begin()
        for _ in range(block):
            call.run()
        call.end()
        enqueued = clock()
        call.wait()
        ended, after = clock(), usage(who)
        wall.append(ended - began)
        enqueue.append(enqueued - began)
        device.append(call.device_ns())
        spent.append((before, after))
        if gpu is not None:
            sm_mhz.append(gpu.sm_mhz() or 0)
            held_back.append(gpu.held_back() or 0)
        if ended >= end and len(wall) >= plan.min_samples:
            break
        if ended >= deadline_ns and len(wall) >= 3:
            break
    elapsed_s = (clock() - start) / 1e9
    marks = [mark for pair in spent for mark in pair]
    samples = DeviceSamples(*map(tuple, (device, enqueue, sm_mhz, held_back)))
    return host_round(wall, spent, block, external_load(busy_before, marks, elapsed_s), samples)


def transfer_ns(copy: Call) -> int:
    """Median time to copy the inputs to the device and the outputs back."""
    copy()
    marks = [time.perf_counter_ns()]
    for _ in range(_TRANSFERS):
        copy()
        marks.append(time.perf_counter_ns())
    return round(median(after - before for before, after in pairwise(marks)))
