"""From what was seen of a worker to why it gave no result."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any

from profiler.core.outcome import FailureKind
from profiler.worker.launch import Report


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a worker gave no result."""

    kind: FailureKind
    message: str


def result_of(  # noqa: PLR0911 - a decision table reads best as one return a row
    report: Report, memory_limit_bytes: int | None = None
) -> tuple[dict[str, Any] | None, Problem | None]:
    """Return the worker's result or the problem, exactly one of the two.

    Source: the worker contract of docs/architecture.md; pure, so that a table can test it.
    """
    for message in report.messages:
        if "error" in message:
            error = message["error"]
            return None, Problem(FailureKind(error["kind"]), str(error["message"]))
    if report.ended == "deadline":
        return None, Problem(
            FailureKind.HUNG,
            f"no end after {report.elapsed_s:.1f} s, at stage {report.stage}; killed",
        )
    if report.protocol_error:
        return None, Problem(FailureKind.PROTOCOL_ERROR, report.protocol_error)
    if report.signal is not None:
        return None, _killed(report, memory_limit_bytes)
    result = next((message["result"] for message in report.messages if "result" in message), None)
    if report.exit_code != 0:
        return None, Problem(
            FailureKind.CRASHED,
            f"worker ended with exit code {report.exit_code} at stage {report.stage}",
        )
    if result is None:
        return None, Problem(FailureKind.PROTOCOL_ERROR, "worker ended without a result")
    return result, None


def _killed(report: Report, memory_limit_bytes: int | None) -> Problem:
    name = signal.Signals(report.signal or 0).name
    peak = report.peak_rss_bytes
    near = peak is not None and memory_limit_bytes is not None and peak > 0.9 * memory_limit_bytes
    if report.signal == signal.SIGKILL and near:
        return Problem(FailureKind.OUT_OF_MEMORY, f"killed near its memory limit at {report.stage}")
    return Problem(FailureKind.CRASHED, f"worker died of {name} at stage {report.stage}")
