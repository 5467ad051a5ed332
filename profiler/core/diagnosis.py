"""What on this machine makes measurements uncertain: only what was observed while measuring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev

from profiler.core.environment import Environment
from profiler.core.intervals import median
from profiler.core.outcome import Attempt, Measurement, Round
from profiler.core.summary import summarise

_CLEAN = 0.9
_LOAD = 0.1
_FREQUENCY = 0.05
_WARMER_C = 10.0
_SPREAD = 0.01


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was observed, and what to do about it."""

    observed: str
    remedy: str


def findings(measured: Measurement, environment: Environment) -> tuple[Finding, ...]:
    """What disturbed a measurement, as its processes and the environment say."""
    attempts = measured.attempts
    found = [
        _load(attempts),
        _interrupted(measured),
        _quota(environment, measured.target.threads),
        _cores(environment, measured.target.threads),
        _governor(environment),
        _boost(environment),
        _smt(environment),
        _frequency(attempts),
        _temperature(attempts),
        _warmup(attempts),
        _processes(measured),
        _virtual(environment),
    ]
    return tuple(finding for finding in found if finding is not None)


def unknowns(measured: Measurement, environment: Environment) -> tuple[str, ...]:
    """What could not be read here, so that nothing is said about it."""
    conditions = [c for attempt in measured.attempts for c in (attempt.before, attempt.after)]
    read = {
        "governor": environment.governor is not None,
        "boost": environment.boost is not None,
        "hyper-threading": environment.smt is not None,
        "load of others": any(r.external_load is not None for r in _rounds(measured.attempts)),
        "CPU pressure": any(c.cpu_pressure is not None for c in conditions),
        "frequency": any(c.frequency_mhz is not None for c in conditions),
        "temperature": any(c.temperature_c is not None for c in conditions),
    }
    return tuple(name for name, known in read.items() if not known)


def _rounds(attempts: Sequence[Attempt]) -> list[Round]:
    return [block for attempt in attempts for block in attempt.rounds]


def _load(attempts: Sequence[Attempt]) -> Finding | None:
    loads = [b.external_load for b in _rounds(attempts) if b.external_load is not None]
    if not loads or median(loads) < _LOAD:
        return None
    pressures = [a.after.cpu_pressure for a in attempts if a.after.cpu_pressure is not None]
    stalled = f"; tasks waited for a CPU {max(pressures):.0f}% of the time" if pressures else ""
    return Finding(
        f"other processes used {median(loads):.1f} cores meanwhile, {max(loads):.1f} at most"
        + stalled,
        "stop them, or measure when they are idle",
    )


def _interrupted(measured: Measurement) -> Finding | None:
    share = measured.latency.clean_share
    if share >= _CLEAN:
        return None
    return Finding(
        f"{1 - share:.0%} of the samples were interrupted by the scheduler",
        "free a core for the measurement: fewer other processes, or a core of its own "
        "(taskset, isolcpus, a cpuset)",
    )


def _quota(environment: Environment, threads: int) -> Finding | None:
    quota = environment.cpu_quota
    if quota is None:
        return None
    return Finding(
        f"the control group may use {quota:g} cores; beyond that, processes stand still for the "
        f"rest of each period ({threads} threads were asked for)",
        "remove the quota (docker run without --cpus, a Kubernetes pod without a CPU limit) and "
        "give cores instead (--cpuset-cpus)",
    )


def _cores(environment: Environment, threads: int) -> Finding | None:
    allowed = len(environment.cores_allowed)
    if threads < allowed:
        return None
    return Finding(
        f"{threads} threads on {allowed} allowed cores leave none for anything else",
        f"measure with at most {max(allowed - 1, 1)} threads"
        if allowed > 1
        else "allow more cores",
    )


def _governor(environment: Environment) -> Finding | None:
    governor = environment.governor
    if governor is None or governor == "performance":
        return None
    return Finding(
        f"the governor is {governor!r}: the clock follows the load",
        "sudo cpupower frequency-set -g performance",
    )


def _boost(environment: Environment) -> Finding | None:
    if not environment.boost:
        return None
    return Finding(
        "boost is on: the clock depends on temperature and on the other cores",
        "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost",
    )


def _smt(environment: Environment) -> Finding | None:
    if not environment.smt:
        return None
    return Finding(
        "hyper-threading is on: another process can share a core with the measurement",
        "echo off | sudo tee /sys/devices/system/cpu/smt/control",
    )


def _frequency(attempts: Sequence[Attempt]) -> Finding | None:
    seen = [a.after.frequency_mhz for a in attempts if a.after.frequency_mhz is not None]
    if not seen or max(seen) - min(seen) <= _FREQUENCY * max(seen):
        return None
    return Finding(
        f"the clock was between {min(seen):.0f} and {max(seen):.0f} MHz after the processes",
        "fix it: sudo cpupower frequency-set -d FREQUENCY -u FREQUENCY",
    )


def _temperature(attempts: Sequence[Attempt]) -> Finding | None:
    seen = [a.after.temperature_c for a in attempts if a.after.temperature_c is not None]
    if not seen or seen[-1] - seen[0] < _WARMER_C:
        return None
    return Finding(
        f"the processor went from {seen[0]:.0f} to {seen[-1]:.0f} C",
        "cool it better, or fix the clock below the one it can hold",
    )


def _warmup(attempts: Sequence[Attempt]) -> Finding | None:
    restless = sum(not attempt.warmup_settled for attempt in attempts)
    if restless == 0:
        return None
    return Finding(
        f"in {restless} of {len(attempts)} processes the latency had not settled after the warm-up",
        "look at the other findings: it is the machine or the model that changes",
    )


def _processes(measured: Measurement) -> Finding | None:
    """Whether processes differ more from one another than rounds within one do."""
    attempts, pace_ns = measured.attempts, measured.full_pace_ns
    if len(attempts) < 3:
        return None
    medians = measured.process_medians_ns
    within = [
        stdev(rounds) / median(rounds)
        for attempt in attempts
        if len(rounds := [summarise([[b]], (), pace_ns).median_ns for b in attempt.rounds]) > 1
    ]
    between = stdev(medians) / median(medians)
    if not within or between < _SPREAD or between < 2 * median(within):
        return None
    return Finding(
        f"latency differs by {between:.1%} from process to process, by {median(within):.1%} within",
        "more processes make a figure surer here, longer ones do not",
    )


def _virtual(environment: Environment) -> Finding | None:
    if not environment.hypervisor:
        return None
    return Finding(
        "this is a virtual machine: what its neighbours take can't be seen from inside",
        "a dedicated host, or another look at another time of day",
    )
