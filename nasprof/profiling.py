"""A model measured, then profiled by operator: where does its latency go?"""

from __future__ import annotations

from dataclasses import dataclass

from nasprof.measuring import Ready, Sizes, measure_models, works_for
from profiler.bench.calibration import stored_peaks
from profiler.bench.measure import Progress
from profiler.bench.profiling import profile
from profiler.core.errors import InputError, MeasurementError
from profiler.core.outcome import Measurement
from profiler.core.profile import OperatorProfile
from profiler.core.target import BenchPlan, Target
from profiler.cost.roofline import Peaks
from profiler.store.store import Store


@dataclass(frozen=True, slots=True)
class Profiled:
    """A measurement and where its time goes; `uncalibrated` says why there is no roofline."""

    measurement: Measurement
    profile: OperatorProfile
    uncalibrated: str = ""


def profile_model(
    ready: Ready,
    target: Target,
    sizes: Sizes,
    plan: BenchPlan,
    store: Store,
    on_progress: Progress,
) -> Profiled:
    """Measure a model as `nasprof bench` does, then record it in another worker.

    Raises: MeasurementError when either failed, InputError for a model that cannot be counted.
    """
    if ready.cost is None:
        raise InputError(f"{ready.label} cannot be counted, so its operators can't be told apart")
    (outcome,) = measure_models([ready], [target], sizes, plan, store, on_progress)
    if not isinstance(outcome, Measurement):
        raise MeasurementError(
            f"{outcome.label} on {target.runtime}: {outcome.kind}: {outcome.message}"
        )
    on_progress(0, 1, f"profiling {ready.label} on {target.runtime}")
    (work,) = works_for([ready], [target], sizes, plan)
    peaks, missing = _peaks(store, target.threads)
    return Profiled(outcome, profile(work, outcome, ready.cost, peaks), missing)


def _peaks(store: Store, threads: int) -> tuple[Peaks | None, str]:
    try:
        return stored_peaks(store, threads), ""
    except InputError as error:
        return None, str(error)
