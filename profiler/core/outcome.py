"""Outcome = Measurement | Failure: what an attempt to measure ended in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from profiler.core.disturbance import disturbances
from profiler.core.environment import Conditions
from profiler.core.pace import full_pace_ns
from profiler.core.summary import Latency, summarise
from profiler.core.target import BenchPlan, Target
from profiler.core.tensor import TensorSpec


class Stage(StrEnum):
    """How far a worker came; the last one announced names the step that failed."""

    STARTED = "started"
    IMPORTED = "imported"
    LOADED = "loaded"
    FIRST_RUN = "first_run"
    WARM = "warm"
    TIMING = "timing"
    DONE = "done"


class FailureKind(StrEnum):
    """Why an attempt gave no number."""

    INVALID_MODEL = "invalid_model"
    UNSAFE_MODEL = "unsafe_model"
    UNSUPPORTED = "unsupported"
    BAD_INPUT = "bad_input"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    HUNG = "hung"
    DEVICE_LOST = "device_lost"
    WRONG_DEVICE = "wrong_device"
    WRONG_PRECISION = "wrong_precision"
    BAD_OUTPUT = "bad_output"
    MODEL_CHANGED = "model_changed"
    INTERRUPTED = "interrupted"
    PROTOCOL_ERROR = "protocol_error"


@dataclass(frozen=True, slots=True)
class DeviceSamples:
    """What a GPU and the host's work for it took; all tuples have one entry a sample.

    Unit: `device_ns` on the GPU's own clock and `enqueue_ns` on the host's, both a sample; `sm_mhz`
    is the clock just after it and `held_back` NVML's bit mask of clocks event reasons, both empty
    where NVML does not tell.
    """

    device_ns: tuple[int, ...]
    enqueue_ns: tuple[int, ...]
    sm_mhz: tuple[int, ...] = ()
    held_back: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Round:
    """A block of samples taken back to back; all tuples have one entry a sample.

    Unit: ns a sample; a sample is `runs_per_sample` inferences. `switches` are involuntary context
    switches, `faults` major page faults. `external_load` is what others used meanwhile, in cores.
    `stream_samples` counts the samples of each stream, which follow one another; empty for one.
    `pace_ns` is what a fixed piece of work took just before or after the sample, the slower of the
    two; empty where it was not timed.
    """

    wall_ns: tuple[int, ...]
    cpu_ns: tuple[int, ...]
    switches: tuple[int, ...]
    faults: tuple[int, ...]
    runs_per_sample: int = 1
    external_load: float | None = None
    device: DeviceSamples | None = None
    stream_samples: tuple[int, ...] = ()
    pace_ns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Energy:
    """What the rounds of one process took from an energy meter.

    Unit: joules of everything that the meter covers, over `seconds` and `runs` inferences;
    `idle_w` is what it drew before the model was loaded, with nothing of ours running.
    """

    meter: str
    joules: float
    seconds: float
    runs: int
    idle_w: float

    @property
    def per_run_mj(self) -> float:
        """Energy in mJ of one inference of the whole batch, less what the machine draws idle."""
        return (self.joules - self.idle_w * self.seconds) * 1e3 / self.runs


@dataclass(frozen=True, slots=True)
class OutputError:
    """How far the outputs are from the reference (ONNX Runtime CPU float32), worst output.

    Unit: `max_abs` in the output's unit; `relative` is max_abs over the reference's largest value;
    `top1` is the share of rows with the same argmax (None for outputs that are not rows of scores).
    """

    max_abs: float
    relative: float
    cosine: float | None
    top1: float | None


@dataclass(frozen=True, slots=True)
class Placement:
    """How many nodes ran on which device at which precision, as read back from the runtime."""

    device: str
    precision: str
    nodes: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one worker process measured.

    Unit: ns and bytes as named. `started_ns` is from asking for the process to its imports, None
    for a process that waited for its job; `import_ns` is its last part, the runtime's import.
    `peak_rss_bytes` is the process's peak, `base_rss_bytes` its size before the model was loaded.
    `transfer_ns` is for copying inputs to a GPU and outputs back, and no part of the samples;
    `gpu_memory_bytes` is what it holds there after the last round. `known_pace_ns` is the full pace
    of the processor as earlier processes on this machine had seen it.
    """

    started_ns: int | None
    load_ns: int
    first_run_ns: int
    warmup_runs: int
    warmup_settled: bool
    rounds: tuple[Round, ...]
    base_rss_bytes: int
    peak_rss_bytes: int
    placement: tuple[Placement, ...]
    effective: tuple[tuple[str, str], ...]
    output_error: OutputError | None
    before: Conditions
    after: Conditions
    transfer_ns: int | None = None
    gpu_memory_bytes: int | None = None
    import_ns: int | None = None
    energy: Energy | None = None
    known_pace_ns: float | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """All that was measured of one model on one target: one or more worker processes.

    Unit: raw samples in ns; statistics are functions of them.
    """

    model_sha256: str
    label: str
    target: Target
    plan: BenchPlan
    environment_key: str
    session: str
    inputs: tuple[TensorSpec, ...]
    attempts: tuple[Attempt, ...]

    @property
    def samples_ns(self) -> tuple[float, ...]:
        """Wall time of one inference, sample by sample, in ns."""
        return tuple(
            wall / block.runs_per_sample
            for attempt in self.attempts
            for block in attempt.rounds
            for wall in block.wall_ns
        )

    @property
    def latency(self) -> Latency:
        """Median with its interval, percentiles above their floors, and the verdict."""
        found = disturbances(self.attempts)
        rounds = [list(attempt.rounds) for attempt in self.attempts]
        return summarise(rounds, found, self.full_pace_ns, self.plan.looks)

    @property
    def full_pace_ns(self) -> float | None:
        """What the probe takes where nothing slows the processor; None where it was not timed."""
        known = [a.known_pace_ns for a in self.attempts if a.known_pace_ns is not None]
        blocks = [block for attempt in self.attempts for block in attempt.rounds]
        return full_pace_ns(blocks, min(known, default=None))

    @property
    def process_medians_ns(self) -> list[float]:
        """The median of each process by itself."""
        pace_ns = self.full_pace_ns
        return [summarise([list(a.rounds)], (), pace_ns).median_ns for a in self.attempts]

    @property
    def batch(self) -> int | str | None:
        """First dimension of the first input: images in one inference."""
        shape = self.inputs[0].shape if self.inputs else None
        return shape[0] if shape else None

    @property
    def load_ns(self) -> float:
        """Median time to create the session, over processes."""
        return _median([attempt.load_ns for attempt in self.attempts])

    @property
    def first_run_ns(self) -> float:
        """Median time of the first inference, over processes."""
        return _median([attempt.first_run_ns for attempt in self.attempts])

    @property
    def start_ns(self) -> float | None:
        """Median time from asking for a process to the import of the runtime, over processes."""
        started = [(a.started_ns, a.import_ns) for a in self.attempts]
        return _known_median([s - i for s, i in started if s is not None and i is not None])

    @property
    def import_ns(self) -> float | None:
        """Median time to import the runtime, over processes."""
        return _known_median([a.import_ns for a in self.attempts if a.started_ns is not None])

    @property
    def throughput(self) -> float:
        """Median of the rounds' inferences a second, over all streams at once."""
        return _median([_rate(block) for a in self.attempts for block in a.rounds])

    @property
    def energy_mj(self) -> float | None:
        """Median mJ of one inference less idle, over processes; None where nothing meters it."""
        return _known_median([a.energy.per_run_mj for a in self.attempts if a.energy is not None])

    @property
    def meter(self) -> str | None:
        """What measured the energy."""
        return next((a.energy.meter for a in self.attempts if a.energy is not None), None)

    @property
    def device_ns(self) -> float | None:
        """Median time of one inference on the GPU's own clock."""
        return self._per_run("device_ns")

    @property
    def enqueue_ns(self) -> float | None:
        """Median time that the host works for one inference before it waits for the GPU."""
        return self._per_run("enqueue_ns")

    @property
    def transfer_ns(self) -> float | None:
        """Median time to copy inputs to the GPU and outputs back, over processes."""
        return _known_median([a.transfer_ns for a in self.attempts])

    @property
    def gpu_memory_bytes(self) -> int | None:
        """Most that a process held on the GPU."""
        known = [a.gpu_memory_bytes for a in self.attempts if a.gpu_memory_bytes is not None]
        return max(known, default=None)

    @property
    def peak_rss_bytes(self) -> int:
        """Largest peak resident size of a worker."""
        return max(attempt.peak_rss_bytes for attempt in self.attempts)

    @property
    def memory_bytes(self) -> int:
        """Largest growth of a worker's resident size since before the model was loaded."""
        return max(a.peak_rss_bytes - a.base_rss_bytes for a in self.attempts)

    def _per_run(self, name: str) -> float | None:
        blocks = [block for attempt in self.attempts for block in attempt.rounds]
        values = [
            value / block.runs_per_sample
            for block in blocks
            if block.device is not None
            for value in getattr(block.device, name)
        ]
        return _known_median(values)

    @property
    def output_error(self) -> OutputError | None:
        """The worst error over processes; None when nothing was compared."""
        errors = [a.output_error for a in self.attempts if a.output_error is not None]
        return max(errors, key=lambda error: error.relative, default=None)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no measurement; stored like one."""

    model_sha256: str
    label: str
    target: Target
    plan: BenchPlan
    environment_key: str
    session: str
    stage: Stage
    kind: FailureKind
    message: str
    exit_code: int | None = None
    signal: int | None = None
    log_tail: str = ""
    elapsed_s: float = 0.0


Outcome = Measurement | Failure


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return float(ordered[middle]) if len(ordered) % 2 else sum(ordered[middle - 1 : middle + 1]) / 2


def _known_median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _median(known) if known else None


def _rate(block: Round) -> float:
    """Inferences a second of one round: the sum over its streams."""
    rate, start = 0.0, 0
    for samples in block.stream_samples or (len(block.wall_ns),):
        took_ns = sum(block.wall_ns[start : start + samples])
        rate += samples * block.runs_per_sample * 1e9 / took_ns
        start += samples
    return rate
