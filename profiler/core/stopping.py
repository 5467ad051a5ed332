"""When a measurement is complete, and why: a function of what is stored."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from profiler.core.outcome import Measurement

_CONVERGED = 0.05


class Stopped(StrEnum):
    """Why no further process measures."""

    INTERVAL = "interval narrow enough"
    CONVERGED = "noise converged"
    BUDGET = "process limit reached"


def why_stopped(measured: Measurement) -> Stopped | None:
    """Why the measurement is complete by its plan; None while another process should measure.

    The interval of the median decides; where the last process left it as wide as before, within
    5 %, further ones would not narrow it either. While no process ran at the processor's full pace,
    the interval is that of a disturbed machine, and only the plan's most processes end it.
    Source: nvbench's stdrel criterion ("noise converged"), on the interval of the median instead
    of the samples' deviation.
    """
    plan, count = measured.plan, len(measured.attempts)
    if count < plan.processes:
        return None
    latency = measured.latency
    width = latency.half_width
    if width <= plan.interval and not latency.off_pace:
        return Stopped.INTERVAL
    if count >= plan.max_processes:
        return Stopped.BUDGET
    if latency.off_pace:
        return None
    if count > max(plan.processes, 2):
        before = replace(measured, attempts=measured.attempts[:-1]).latency.half_width
        if abs(width - before) <= _CONVERGED * before:
            return Stopped.CONVERGED
    return None
