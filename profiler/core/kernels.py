"""What a runtime's own profiler recorded: kernels, their times, and what recording costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from profiler.core.intervals import median


@dataclass(frozen=True, slots=True)
class Kernel:
    """One node as a runtime runs it, with the names of its tensors.

    `sources` are the nodes of the model that it stands for, where the runtime itself tells.
    """

    name: str
    op_type: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KernelTimes:
    """What was recorded of one kernel.

    Unit: ns, one entry an inference, without the time of kernels that ran inside it (the body of a
    loop). `calls` is how often it ran in one inference, `inner` how many kernels ran inside it.
    """

    kernel: Kernel
    times_ns: tuple[int, ...]
    calls: float = 1.0
    inner: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordedChain:
    """A model of so many tiny nodes, run without and with the profiler.

    Unit: ns for one inference; `kernels_ns` is what the profiler says that all nodes took.
    """

    nodes: int
    plain_ns: float
    profiled_ns: float
    kernels_ns: float


@dataclass(frozen=True, slots=True)
class Recording:
    """What one worker recorded of a model.

    Unit: ns for one inference; `plain_ns` without the profiler and `profiled_ns` with it, in blocks
    that took turns. `resolution_ns` is the step of the profiler's clock.
    """

    kernels: tuple[KernelTimes, ...]
    plain_ns: tuple[int, ...]
    profiled_ns: tuple[int, ...]
    chains: tuple[RecordedChain, RecordedChain]
    resolution_ns: int


@dataclass(frozen=True, slots=True)
class RecordingCost:
    """What the profiler adds to one call of a kernel.

    Unit: ns; `inside_ns` is part of the time that it records for the kernel, `outside_ns` is not.
    `least_ns` is what a kernel with next to nothing to do takes without the profiler.
    """

    inside_ns: float
    outside_ns: float
    least_ns: float


def recording_cost(chains: tuple[RecordedChain, RecordedChain]) -> RecordingCost:
    """The cost of recording one node: the slope between two lengths, so that no fixed part counts.

    What a node takes without the profiler includes its share of the runtime's dispatch, which is
    therefore part of a kernel's own time.
    """
    short, long = sorted(chains, key=lambda chain: chain.nodes)
    more = long.nodes - short.nodes
    plain = (long.plain_ns - short.plain_ns) / more
    profiled = (long.profiled_ns - short.profiled_ns) / more
    recorded = (long.kernels_ns - short.kernels_ns) / more
    return RecordingCost(max(recorded - plain, 0.0), max(profiled - recorded, 0.0), max(plain, 0.0))


@dataclass(frozen=True, slots=True)
class CalibratedTimes:
    """The times of kernels as they are without a profiler.

    Unit: ns for one inference, in the order of the recording. `times_ns` add up to the latency;
    `subtracted_ns` is their sum before that, only without the profiler's cost of `cost_ns` a call.
    """

    times_ns: tuple[float, ...]
    subtracted_ns: float
    cost_ns: float


def calibrate(recording: Recording, latency_ns: float) -> CalibratedTimes:
    """Take the profiler's cost off every kernel, then scale them to the latency without it.

    No kernel takes less than one with next to nothing to do: recording those costs less than it
    does on average, as their code and data are at hand.
    Raises: ValueError when nothing was recorded.
    Source: docs/profile.md.
    """
    if not recording.kernels:
        raise ValueError("no kernels were recorded")
    cost = recording_cost(recording.chains)
    rest = [_without(cost, entry) for entry in recording.kernels]
    total = sum(rest)
    scale = latency_ns / total if total else 0.0
    return CalibratedTimes(tuple(time * scale for time in rest), total, cost.inside_ns)


def _without(cost: RecordingCost, entry: KernelTimes) -> float:
    recorded = middle_mean(entry.times_ns)
    taken = cost.inside_ns * entry.calls + cost.outside_ns * entry.inner
    return max(recorded - taken, min(cost.least_ns * entry.calls, recorded))


def middle_mean(values: Sequence[float]) -> float:
    """The mean of the middle half: robust as a median, and finer than the clock's step."""
    ordered = sorted(values)
    quarter = len(ordered) // 4
    return fmean(ordered[quarter : len(ordered) - quarter])


def slow_down(recording: Recording) -> float:
    """How many times as long an inference took with the profiler."""
    return median(recording.profiled_ns) / median(recording.plain_ns)
