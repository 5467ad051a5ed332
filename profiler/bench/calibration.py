"""Measure the peaks of this machine in a worker, and keep them."""

from __future__ import annotations

from profiler.bench.environment import capture
from profiler.core.errors import InputError, MeasurementError
from profiler.core.plain import from_plain
from profiler.cost.calibrate import peaks
from profiler.cost.roofline import Peaks
from profiler.store.records import Calibration
from profiler.store.store import Store
from profiler.worker.classify import result_of
from profiler.worker.launch import Job, launch


def calibrate(store: Store, threads: int = 1, seconds: float = 1.0) -> Calibration:
    """Measure peak arithmetic by precision and memory bandwidth, and store them.

    `seconds` is spent on each precision.
    Raises: MeasurementError when the worker fails, StoreError.
    """
    environment = capture()
    store.put_environment(environment)
    arguments = {"threads": threads, "seconds": seconds}
    found, problem = result_of(
        launch(Job("calibrate", arguments, 120 + 20 * seconds, None, threads))
    )
    if found is None or problem is not None:
        reason = f"{problem.kind}: {problem.message}" if problem else "no result"
        raise MeasurementError(f"the machine's peaks could not be measured: {reason}")
    measured: Calibration = from_plain(
        Calibration, {**found, "environment_key": environment.key, "created_at": ""}
    )
    store.put_calibration(measured)
    return measured


def stored_peaks(store: Store, threads: int) -> Peaks:
    """The peaks of this machine as it is now.

    Raises: InputError when it has not been calibrated in this state.
    """
    found = store.calibration(capture().key, threads)
    if found is None:
        raise InputError(
            f"this machine has no calibration for {threads} threads; "
            f"run: nasprof devices --calibrate --threads {threads}"
        )
    return peaks({"flops_per_s": found.flops_per_s, "bytes_per_s": found.bytes_per_s})
