"""The parent's side of a worker: start it, wait asleep, kill what overstays, say what happened."""

from __future__ import annotations

import json
import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from profiler.core.outcome import Stage
from profiler.environments._environment import interpreter_for, of_runtime
from profiler.worker.folders import private_folder
from profiler.worker.wire import Decoder, FrameError

_ROOT = Path(__file__).resolve().parents[2]
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from profiler.worker.child import main; main()"
)
_KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
)
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LOG_TAIL_BYTES = 16 * 1024
_GRACE_S = 2.0
_JOB_FILE = "job.json"


@dataclass(frozen=True, slots=True)
class Job:
    """What one worker has to do; everything in it is JSON.

    `runtime` is the plug-in that the task will import, for workers that do so ahead; without an
    `interpreter` the worker is started by the one that the runtime lives in.
    Unit: seconds and bytes as named.
    """

    task: str
    arguments: Mapping[str, Any]
    deadline_s: float = 120.0
    memory_limit_bytes: int | None = None
    threads: int = 1
    interpreter: str | None = None
    runtime: str = ""

    def write(self, folder: Path) -> None:
        """Write the job where a worker of this folder reads it."""
        content = {
            "task": self.task,
            "arguments": dict(self.arguments),
            "memory_limit_bytes": self.memory_limit_bytes,
        }
        (folder / _JOB_FILE).write_text(json.dumps(content))


@dataclass(slots=True)
class Report:
    """What was seen of a worker from outside.

    `ended` is how: "exit" by itself, "deadline", "protocol" or "discarded" killed by us for that
    reason. `peak_rss_bytes` is `None` where this process itself has been larger than the worker.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    stage: Stage = Stage.STARTED
    ended: str = "exit"
    exit_code: int | None = None
    signal: int | None = None
    protocol_error: str = ""
    log_tail: str = ""
    elapsed_s: float = 0.0
    peak_rss_bytes: int | None = None


OnMessage = Callable[[dict[str, Any]], None]


class Launch(Protocol):
    """Runs one job in a worker: `launch`, or that of a pool."""

    def __call__(self, job: Job, on_message: OnMessage | None = None) -> Report:
        """Run the job and return when nothing of its worker is left."""
        ...


@dataclass(frozen=True, slots=True)
class Started:
    """A worker process and the reading end of its results."""

    process: subprocess.Popen[bytes]
    results: int


def launch(job: Job, on_message: OnMessage | None = None) -> Report:
    """Run one job in a fresh interpreter and return when nothing of it is left.

    The parent sleeps in `select` meanwhile. A job that passes its deadline is killed with its whole
    process group. Never raises for what the worker does.
    Raises: KeyboardInterrupt as it comes, after the group is dead.
    """
    with private_folder() as folder:
        job.write(folder)
        return attend(spawn(job, folder), job.deadline_s, on_message)


def spawn(job: Job, folder: Path, *, ahead: bool = False) -> Started:
    """Start a worker in a folder.

    With `ahead` it imports what such a job needs, announces its start, and waits until its standard
    input is closed; the job may then be any of the same task, runtime, threads and interpreter.
    """
    results, results_end = os.pipe()
    try:
        process = subprocess.Popen(
            _command(job, folder, results_end, ahead),
            stdin=subprocess.PIPE if ahead else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=(results_end,), start_new_session=True, cwd=folder,
            env=_environment(job.threads, folder), bufsize=0,
        )  # fmt: skip
    except BaseException:
        os.close(results)
        raise
    finally:
        os.close(results_end)
    return Started(process, results)


def attend(started: Started, deadline_s: float, on_message: OnMessage | None = None) -> Report:
    """Stay with a worker that has its job until nothing of it is left."""
    report = Report()
    try:
        _watch(started.process, started.results, deadline_s, report, on_message)
    finally:
        os.close(started.results)
        _bury(started.process, report)
    return report


def discard(started: Started) -> None:
    """Kill a worker that got no job."""
    os.close(started.results)
    _bury(started.process, Report(ended="discarded"))


def alive(started: Started) -> bool:
    """Whether the worker has not ended; it is not reaped."""
    flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
    return os.waitid(os.P_PID, started.process.pid, flags) is None


def _command(job: Job, folder: Path, results_end: int, ahead: bool) -> list[str]:
    arguments = [str(_ROOT), str(folder / _JOB_FILE), str(results_end), str(os.getpid())]
    wanted = f"{job.task}:{job.runtime}" if ahead else ""
    interpreter = job.interpreter or interpreter_for(of_runtime(job.runtime))
    return [interpreter, "-P", "-c", _BOOT, *arguments, wanted]


def _environment(threads: int, folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    # NVML counts GPUs in the order of the bus, CUDA by default not: both must mean the same one.
    own = {"TMPDIR": str(folder), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    return kept | dict.fromkeys(_THREAD_VARIABLES, str(threads)) | own


def _watch(
    process: subprocess.Popen[bytes],
    results: int,
    deadline_s: float,
    report: Report,
    on_message: OnMessage | None,
) -> None:
    """Read until the result pipe ends, the deadline passes or the bytes are no frames."""
    assert process.stdout is not None
    started = time.monotonic()
    decoder, log = Decoder(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(results, selectors.EVENT_READ)
        selector.register(process.stdout, selectors.EVENT_READ)
        open_results = True
        while open_results and report.ended == "exit":
            left = started + deadline_s - time.monotonic()
            if left <= 0:
                report.ended = "deadline"
                break
            for key, _ in selector.select(left):
                data = os.read(key.fd, 1 << 16)
                if key.fd != results:
                    log += data
                    del log[:-_LOG_TAIL_BYTES]
                    if not data:
                        selector.unregister(key.fileobj)
                elif data:
                    _take(decoder, data, report, on_message)
                else:
                    open_results = False
    if decoder.pending_bytes and report.ended == "exit":
        report.protocol_error = "the worker ended in the middle of a frame"
    report.elapsed_s = time.monotonic() - started
    os.set_blocking(process.stdout.fileno(), False)
    while chunk := process.stdout.read(1 << 16):
        log += chunk
        del log[:-_LOG_TAIL_BYTES]
    report.log_tail = log.decode(errors="replace")


def _take(
    decoder: Decoder,
    data: bytes,
    report: Report,
    on_message: OnMessage | None,
) -> None:
    try:
        messages = decoder.feed(data)
        for message in messages:
            if "stage" in message:
                report.stage = Stage(message["stage"])
            else:
                report.messages.append(message)
            if on_message is not None:
                on_message(message)
    except (FrameError, ValueError) as error:
        report.ended, report.protocol_error = "protocol", str(error)


def _bury(process: subprocess.Popen[bytes], report: Report) -> None:
    """Wait for the end, kill the whole group while its leader still holds the id, then reap."""
    deadline = time.monotonic() + (_GRACE_S if report.ended == "exit" else 0.0)
    flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
    while os.waitid(os.P_PID, process.pid, flags) is None and time.monotonic() < deadline:
        time.sleep(0.005)  # only between the end of the pipe and the end of the process
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    report.peak_rss_bytes = _peak_rss_bytes(usage.ru_maxrss)
    report.exit_code = process.returncode if process.returncode >= 0 else None
    report.signal = -process.returncode if process.returncode < 0 else None


def _peak_rss_bytes(max_rss_kib: int) -> int | None:
    """Give a reaped child's peak; `None` where it is not told apart from ours.

    Linux hands the peak of the process that forks on to the child's, beyond its `exec`.
    """
    ours_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max_rss_kib * 1024 if max_rss_kib > ours_kib else None
