"""Record a model with the runtime's own profiler, in turns with inferences without it."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from profiler.core.intervals import median
from profiler.core.kernels import KernelTimes, RecordedChain, Recording, middle_mean
from profiler.core.plain import from_plain, to_plain
from profiler.core.plugins import load
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.runtimes._runtime import Call, ProfilingRuntime
from profiler.worker.chain import SIZES, write_chain
from profiler.worker.feeds import make_feeds

# A trace holds up to 1 kB an event, and ONNX Runtime's profiler stops at a million of them.
_EVENTS = 24_000
_TURNS, _FEWEST = 6, 5
_TURN_NS = 150_000_000
_LINKS = (8, 24)


def run(arguments: dict[str, Any], send: Any) -> dict[str, Any]:
    """Arguments: model (path), target, inputs, seed. The result is a `Recording` as JSON."""
    target: Target = from_plain(Target, arguments["target"])
    inputs = from_plain(tuple[TensorSpec, ...], arguments["inputs"])
    runtime: ProfilingRuntime = load("profiler.runtimes", target.runtime)
    send({"stage": "imported"})
    found = _record(runtime, Path(arguments["model"]), target, inputs, arguments["seed"])
    send({"stage": "timing"})
    short, long = (_record_chain(runtime, target, links) for links in _LINKS)
    recording = Recording(
        found.kernels, found.plain_ns, found.profiled_ns, (short, long), found.resolution_ns
    )
    result: dict[str, Any] = to_plain(recording)
    return result


@dataclass(frozen=True, slots=True)
class _Recorded:
    kernels: tuple[KernelTimes, ...]
    plain_ns: tuple[int, ...]
    profiled_ns: tuple[int, ...]
    resolution_ns: int


def _record(
    runtime: ProfilingRuntime,
    model: Path,
    target: Target,
    inputs: tuple[TensorSpec, ...],
    seed: int,
) -> _Recorded:
    """Blocks without and with the profiler, in turns; how long the latter are follows the nodes."""
    feeds = make_feeds(inputs, seed)
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        plain_call = runtime.load(model, target).bind(feeds)
        recorder = runtime.record(model, target, Path(folder))
        profiled_call = recorder.session.bind(feeds)
        most = max(_EVENTS // max(recorder.nodes, 1) // _TURNS, _FEWEST)
        plain, profiled = _Runs(), _Runs()
        for _ in range(_TURNS):
            plain.take(plain_call, 1_000_000)
            profiled.take(profiled_call, most)
        kept = profiled.undisturbed()
        kernels = recorder.stop(kept)
        return _Recorded(
            kernels,
            tuple(plain.walls_ns[number] for number in plain.undisturbed()),
            tuple(profiled.walls_ns[number] for number in kept),
            recorder.resolution_ns,
        )


def _record_chain(runtime: ProfilingRuntime, target: Target, links: int) -> RecordedChain:
    path = Path.cwd() / f"chain-{links}.onnx"
    inputs = write_chain(path, links)
    found = _record(runtime, path, target, inputs, 0)
    return RecordedChain(
        links * len(SIZES),
        median(found.plain_ns),
        median(found.profiled_ns),
        sum(middle_mean(entry.times_ns) for entry in found.kernels),
    )


class _Runs:
    """Inferences in order; the first of each block fills the caches again and does not count."""

    def __init__(self) -> None:
        self.walls_ns: list[int] = []
        self._switches: list[int] = []
        self._first: list[bool] = []

    def take(self, call: Call, most: int) -> None:
        """Run a block: so many runs at most, and no new ones after the time of a turn."""
        clock, usage, who = time.perf_counter_ns, resource.getrusage, resource.RUSAGE_SELF
        end, count = clock() + _TURN_NS, 0
        while count < _FEWEST or (count < most and clock() < end):
            before = usage(who).ru_nivcsw
            began = clock()
            call()
            self.walls_ns.append(clock() - began)
            self._switches.append(usage(who).ru_nivcsw - before)
            self._first.append(count == 0)
            count += 1

    def undisturbed(self) -> Sequence[int]:
        """Numbers of the runs without an involuntary context switch; all where too few have none.

        A profile needs a typical run and not every run: what disturbs is measured by the bench.
        """
        counted = [not first for first in self._first]
        clean = [ok and not n for ok, n in zip(counted, self._switches, strict=True)]
        return list(compress(range(len(clean)), clean if sum(clean) >= 2 * _TURNS else counted))
