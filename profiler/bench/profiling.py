"""The profile of a measured model by operator, recorded in a worker of its own."""

from __future__ import annotations

from exporters.model_file import read_structure
from profiler.bench.attempt import Work
from profiler.bench.devices import Device, devices
from profiler.core.cost import GraphCost
from profiler.core.errors import InputError, MeasurementError
from profiler.core.intervals import median
from profiler.core.kernels import Recording, calibrate, middle_mean
from profiler.core.outcome import Measurement
from profiler.core.plain import from_plain, to_plain
from profiler.core.profile import OperatorProfile
from profiler.cost.achieved import missing_macs, work_of
from profiler.cost.roofline import Peaks
from profiler.worker.classify import result_of
from profiler.worker.launch import Job, launch

# The worker loads five models and runs each some sixty times at least.
_LEAST_S, _RUNS = 120.0, 300


def check_profiles(device: Device) -> None:
    """Refuse a runtime without a profiler.

    Raises: InputError with the runtimes of this machine that have one.
    """
    if not device.profiles:
        able = ", ".join(d.runtime for d in devices() if d.available and d.profiles)
        raise InputError(f"{device.runtime} has no profile by operator; use {able}")


def profile(
    work: Work, measured: Measurement, cost: GraphCost, peaks: Peaks | None
) -> OperatorProfile:
    """Record a model that was measured, and give its latency to its operators.

    Raises: MeasurementError with the reason when the worker gives no result.
    """
    recording = _record(work, measured)
    latency = measured.latency
    calibrated = calibrate(recording, latency.median_ns)
    kernels = [entry.kernel for entry in recording.kernels]
    graph = read_structure(work.model.path).graph
    works = work_of(graph, cost, kernels, peaks)
    mapped = {name for found in works for name in found.sources}
    return OperatorProfile(
        model_sha256=work.model.sha256,
        label=work.label,
        target_key=work.target.key,
        session=measured.session,
        environment_key=measured.environment_key,
        latency_ns=latency.median_ns,
        verdict=latency.verdict.value,
        plain_ns=median(recording.plain_ns),
        profiled_ns=median(recording.profiled_ns),
        cost_ns=calibrated.cost_ns,
        subtracted_ns=calibrated.subtracted_ns,
        resolution_ns=recording.resolution_ns,
        runs=len(recording.profiled_ns),
        folded=sum(node.name not in mapped for node in cost.nodes),
        missing_macs=missing_macs(cost, works),
        operators=tuple(
            found.took(time_ns, middle_mean(entry.times_ns))
            for found, time_ns, entry in zip(
                works, calibrated.times_ns, recording.kernels, strict=True
            )
        ),
    )


def _record(work: Work, measured: Measurement) -> Recording:
    arguments = {
        "model": str((work.artifact or work.model.path).resolve()),
        "target": to_plain(work.target), "inputs": to_plain(work.inputs),
        "seed": measured.plan.seed,
    }  # fmt: skip
    deadline_s = _LEAST_S + _RUNS * measured.latency.median_ns / 1e9
    threads, runtime = work.target.threads, work.target.runtime
    job = Job("profile", arguments, deadline_s, threads=threads, runtime=runtime)
    found, problem = result_of(launch(job))
    if found is None or problem is not None:
        reason = f"{problem.kind}: {problem.message}" if problem else "no result"
        raise MeasurementError(f"{work.label} on {work.target.key} has no profile: {reason}")
    recording: Recording = from_plain(Recording, found)
    return recording
