"""What this machine can resolve: one model measured against itself, and what disturbed it."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter_ns

from nasprof.comparing import LOOKS, Race, compare, itself
from nasprof.measuring import Ready, Sizes
from profiler.bench.environment import capture
from profiler.bench.measure import Progress
from profiler.core.comparison import ENOUGH, SAME_WITHIN, Compared
from profiler.core.diagnosis import Finding, findings, unknowns
from profiler.core.errors import MeasurementError
from profiler.core.outcome import Measurement
from profiler.core.resolution import resolvable
from profiler.core.target import Target
from profiler.store.store import Store


@dataclass(frozen=True, slots=True)
class Resolved:
    """The smallest slowdown that comparisons of so many pairs find, as a share; None for none.

    Unit: `seconds` is about what such a comparison takes here.
    """

    pairs: int
    difference: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a machine can resolve with one model on one target, and what stands in the way.

    `journal` is how the store's file is written, None where it is no file.
    """

    compared: Compared
    resolved: tuple[Resolved, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...]
    journal: str | None


def diagnose(
    ready: Ready, target: Target, sizes: Sizes, seed: int, store: Store, on_progress: Progress
) -> Diagnosis:
    """Measure a model against itself, as a comparison would, and say what that shows.

    Raises: MeasurementError when it could not be measured; the failure is stored.
    """
    race = Race((ready, ready), (target,), sizes, seed, SAME_WITHIN, looks=1)
    began = perf_counter_ns()
    (compared,) = compare(race, store, on_progress)
    took_s = (perf_counter_ns() - began) / 1e9
    measured = compared.base
    if not isinstance(measured, Measurement):
        raise MeasurementError(
            f"{measured.label} on {target.runtime}: {measured.kind}: {measured.message}"
        )
    logs = [pair.log_ratio for pair in itself(measured, seed) if not pair.disturbed]
    environment = capture()
    return Diagnosis(
        compared,
        tuple(
            _resolved(logs, ENOUGH * looks, looks * took_s, seed) for looks in range(1, LOOKS + 1)
        ),
        findings(measured, environment),
        unknowns(measured, environment),
        store.journal(),
    )


def _resolved(logs: list[float], pairs: int, seconds: float, seed: int) -> Resolved:
    # From a few pairs nothing can be said of how far others would be apart.
    smallest = resolvable(logs, pairs, seed=seed) if len(logs) >= ENOUGH // 2 else float("inf")
    return Resolved(pairs, smallest if smallest < float("inf") else None, seconds)
