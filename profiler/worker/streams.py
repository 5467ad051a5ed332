"""Rounds of several streams at once: one instance of the model each, all running back to back."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Protocol, TypeAlias, runtime_checkable

from profiler.core.outcome import Round
from profiler.core.target import BenchPlan
from profiler.runtimes._runtime import Call, Session
from profiler.worker.conditions import busy_ticks
from profiler.worker.timing import external_load, host_round

_Samples: TypeAlias = tuple[list[int], list[resource.struct_rusage]]


@runtime_checkable
class Shareable(Protocol):
    """A session whose loaded model several threads can run at once."""

    def another(self) -> Session | None:
        """A session over the same loaded model with inputs and outputs of its own.

        None where each stream needs a model of its own after all.
        """
        ...


def instances(first: Session, count: int, load: Callable[[], Session]) -> list[Session]:
    """So many sessions, `first` among them: over one loaded model, else each loads its own."""
    shared = first.another if isinstance(first, Shareable) else lambda: None
    return [first, *(shared() or load() for _ in range(count - 1))]


def take_parallel_round(
    calls: Sequence[Call], plan: BenchPlan, block: int, deadline_ns: int
) -> Round:
    """Run all streams until each has met the plan's time and its share of the plan's count.

    None stops before the last one is ready to, so each ran beside all others. Samples come stream
    by stream; processor time, switches and faults are those of the stream's own thread.
    """
    race = _Race(len(calls), plan, block, deadline_ns)
    with ThreadPoolExecutor(len(calls)) as threads:
        running = [threads.submit(race.run, place, call) for place, call in enumerate(calls)]
        before, busy_before = resource.getrusage(resource.RUSAGE_SELF), busy_ticks()
        start = time.perf_counter_ns()
        race.begin.wait()
        streams = [future.result() for future in running]
        elapsed_s = (time.perf_counter_ns() - start) / 1e9
    own = [before, resource.getrusage(resource.RUSAGE_SELF)]
    return host_round(
        [wall for walls, _ in streams for wall in walls],
        [pair for _, marks in streams for pair in pairwise(marks)],
        block,
        external_load(busy_before, own, elapsed_s),
        stream_samples=tuple(len(walls) for walls, _ in streams),
    )


class _Race:
    """What the streams of one round share."""

    def __init__(self, streams: int, plan: BenchPlan, block: int, deadline_ns: int) -> None:
        self.begin = threading.Barrier(streams + 1)
        self._met = [False] * streams
        self._round_ns = int(plan.round_s * 1e9)
        self._least = max(plan.min_samples // streams, 3)
        self._block = block
        self._deadline_ns = deadline_ns

    def run(self, place: int, call: Call) -> _Samples:
        """Take the samples of one stream, in its own thread."""
        try:
            return self._samples(place, call)
        except BaseException:
            self._met[place] = True  # nobody waits for a stream that has failed
            raise

    def _samples(self, place: int, call: Call) -> _Samples:
        clock, usage, who = time.perf_counter_ns, resource.getrusage, resource.RUSAGE_THREAD
        wall: list[int] = []
        self.begin.wait()
        marks = [usage(who)]
        end = clock() + self._round_ns
        while not all(self._met):
            began = clock()
            for _ in range(self._block):
                call()
            ended = clock()
            wall.append(ended - began)
            marks.append(usage(who))
            enough = ended >= end and len(wall) >= self._least
            if enough or (ended >= self._deadline_ns and len(wall) >= 3):
                self._met[place] = True
        return wall, marks
