"""Workers that have imported what their job needs before it comes: one job each, then discarded."""

from __future__ import annotations

import os
import selectors
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from profiler.worker.folders import private_folder
from profiler.worker.launch import (
    Job,
    OnMessage,
    Report,
    Started,
    alive,
    attend,
    discard,
    launch,
    spawn,
)

_Kind: TypeAlias = tuple[str, str, int, str | None]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A worker that waits for its job; `end` removes its folder."""

    started: Started
    folder: Path
    end: ExitStack


class Pool:
    """Starts workers several at a time, on all cores, and only while none of its jobs runs.

    A pool that started the next worker during a job would disturb what that job measures; the
    workers that wait sleep in a read. One that does not come up in time is replaced by a cold one.
    Unit: `size` in workers of a kind that wait at most, `warm_s` in seconds.
    """

    def __init__(self, size: int = 4, warm_s: float = 60.0) -> None:
        self._size, self._warm_s = size, warm_s
        self._waiting: dict[_Kind, deque[_Waiting]] = {}

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for waiting in self._waiting.values():
            while waiting:
                _end(waiting.popleft())

    def launch(self, job: Job, on_message: OnMessage | None = None) -> Report:
        """Run a job as `profiler.worker.launch.launch` does, in a worker that waited for it."""
        kind = (job.task, job.runtime, job.threads, job.interpreter)
        waiting = self._waiting.setdefault(kind, deque())
        if not waiting:
            self._fill(waiting, job)
        while waiting:
            worker = waiting.popleft()
            if alive(worker.started):
                return _give(worker, job, on_message)
            _end(worker)
        return launch(job, on_message)

    def _fill(self, waiting: deque[_Waiting], job: Job) -> None:
        for _ in range(self._size):
            with ExitStack() as stack:
                folder = stack.enter_context(private_folder())
                started = spawn(job, folder, ahead=True)
                waiting.append(_Waiting(started, folder, stack.pop_all()))
        ready = _announced([worker.started.results for worker in waiting], self._warm_s)
        for worker in list(waiting):
            if worker.started.results not in ready:
                waiting.remove(worker)
                _end(worker)


def _announced(descriptors: list[int], limit_s: float) -> set[int]:
    """Which of the workers said within the limit that they are ready; nothing is read."""
    ready: set[int] = set()
    deadline = time.monotonic() + limit_s
    with selectors.DefaultSelector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, selectors.EVENT_READ)
        while len(ready) < len(descriptors) and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                selector.unregister(key.fd)
                ready.add(key.fd)
    return ready


def _give(worker: _Waiting, job: Job, on_message: OnMessage | None) -> Report:
    with worker.end:
        job.write(worker.folder)
        assert worker.started.process.stdin is not None
        worker.started.process.stdin.close()
        return attend(worker.started, job.deadline_s, on_message)


def _end(worker: _Waiting) -> None:
    with worker.end:
        discard(worker.started)


def size_for(cores: int | None = None) -> int:
    """Workers to keep waiting: two for each core, at most eight."""
    return min(2 * (cores or len(os.sched_getaffinity(0))), 8)
