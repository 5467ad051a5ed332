"""Look at the machine before measuring: what will make the numbers less sure, and the remedy."""

from __future__ import annotations

import os
import time

from profiler.core.environment import Environment
from profiler.core.errors import MeasurementError
from profiler.worker.conditions import busy_ticks

_LOAD_CORES = 0.25
_FIXED = ("performance", "userspace")


def preflight(environment: Environment, threads: int, load: float | None) -> tuple[str, ...]:
    """Warnings, each with its remedy, for measuring with so many threads here; often none.

    Unit: `load` is what others use now, in cores; None is unknown.
    """
    found = []
    if load is not None and load > _LOAD_CORES:
        found.append(f"others use {load:.1f} cores now; stop them or wait, or numbers come flagged")
    allowed = len(environment.cores_allowed)
    if threads > allowed:
        found.append(f"{threads} threads on {allowed} allowed cores; ask for at most {allowed}")
    quota = environment.cpu_quota
    if quota is not None and threads > quota:
        found.append(
            f"{threads} threads on a CPU quota of {quota:g} cores; ask for fewer or lift the quota"
        )
    if environment.governor is not None and environment.governor not in _FIXED:
        found.append(
            f"the frequency governor is {environment.governor!r}; "
            "fix it with: sudo cpupower frequency-set -g performance"
        )
    return tuple(found)


def refuse_load(load: float | None) -> None:
    """Refuse a machine that others use, or of which it can't be said.

    Unit: `load` is what others use now, in cores; None is unknown.
    Raises: MeasurementError.
    """
    if load is None:
        raise MeasurementError("what others use can't be read here, so it can't be required quiet")
    if load > _LOAD_CORES:
        raise MeasurementError(f"others use {load:.1f} cores now; stop them or wait (nothing run)")


def load_now(seconds: float = 0.2) -> float | None:
    """What all processes of this machine use, in cores, while this one sleeps."""
    before, start = busy_ticks(), time.perf_counter()
    time.sleep(seconds)
    after, elapsed = busy_ticks(), time.perf_counter() - start
    if before is None or after is None:
        return None
    return (after - before) / os.sysconf("SC_CLK_TCK") / elapsed
