"""One attempt: one worker process for one model on one target, ending in a value."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from exporters.model_file import ModelFile
from profiler.bench.pace import known_pace_ns, remember_pace
from profiler.core.outcome import Attempt, Failure, FailureKind
from profiler.core.pace import full_pace_ns
from profiler.core.plain import from_plain, to_plain
from profiler.core.target import BenchPlan, Target
from profiler.core.tensor import TensorSpec
from profiler.worker.classify import Problem, result_of
from profiler.worker.diverge import first_difference
from profiler.worker.launch import Job, Launch, Report, launch


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be measured: a model with sizes for its inputs, on a target.

    `reference` is the file of reference outputs, None when they are unknown. `artifact` is the
    model in the runtime's own format, None for a runtime that loads the model itself, and
    `unconvertible` says why it has none.
    """

    model: ModelFile
    label: str
    target: Target
    inputs: tuple[TensorSpec, ...]
    reference: Path | None
    artifact: Path | None = None
    unconvertible: Problem | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the work inside one bench run."""
        return self.model.sha256, self.target.key


@dataclass(frozen=True, slots=True)
class Setting:
    """What all works of one bench run share.

    `paces` is the file where this machine's full pace is remembered, None to remember nothing.
    """

    plan: BenchPlan
    environment_key: str
    session: str
    paces: Path | None = None


def attempt(work: Work, setting: Setting, start: Launch = launch) -> Attempt | Failure:
    """Measure once in a fresh worker; every end of the worker is a value, none is an exception.

    Raises: KeyboardInterrupt as it comes, after the worker is gone.
    """
    if work.unconvertible:
        return failure(work, setting, work.unconvertible, Report())
    arguments = {
        "known_pace_ns": known_pace_ns(setting.paces) if setting.paces else None,
        "model": str((work.artifact or work.model.path).resolve()),
        "target": to_plain(work.target.at_load),
        "plan": to_plain(setting.plan), "inputs": to_plain(work.inputs),
        "reference": str(work.reference) if work.reference else None,
        # A worker that waited for its job has no start to time.
        "started_ns": time.monotonic_ns() if start is launch else None,
    }  # fmt: skip
    plan, target = setting.plan, work.target
    report = start(
        Job(
            "bench", arguments, plan.deadline_s, plan.memory_limit_bytes, target.threads,
            runtime=target.runtime,
        )
    )  # fmt: skip
    found, problem = result_of(report, plan.memory_limit_bytes)
    if not work.model.unchanged():
        problem = Problem(
            FailureKind.MODEL_CHANGED,
            "the model or its weights were written since they were hashed",
        )
    if problem is not None and problem.kind is FailureKind.BAD_OUTPUT:
        problem = _located(work, problem, plan.seed, start)
    if found is None or problem is not None:
        return failure(work, setting, problem or Problem(FailureKind.PROTOCOL_ERROR, ""), report)
    measured: Attempt = from_plain(Attempt, found)
    own_ns = full_pace_ns(measured.rounds)
    if setting.paces and own_ns is not None:
        remember_pace(setting.paces, own_ns)
    return measured


def _located(work: Work, problem: Problem, seed: int, start: Launch) -> Problem:
    """Add where in the model the outputs go wrong, for runtimes that can show what is inside."""
    where = first_difference(
        work.model.path, work.artifact or work.model.path, work.target, work.inputs, seed, start
    )
    return Problem(problem.kind, f"{problem.message}; {where}") if where else problem


def failure(work: Work, setting: Setting, problem: Problem, report: Report) -> Failure:
    """The stored form of a problem."""
    return Failure(
        model_sha256=work.model.sha256,
        label=work.label,
        target=work.target,
        plan=setting.plan,
        environment_key=setting.environment_key,
        session=setting.session,
        stage=report.stage,
        kind=problem.kind,
        message=problem.message,
        exit_code=report.exit_code,
        signal=report.signal,
        log_tail=report.log_tail[-4000:],
        elapsed_s=report.elapsed_s,
    )
