"""Measure many models on many targets: interleaved processes, stored as they finish, resumable."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence

from profiler.bench.attempt import Setting, Work, attempt, failure
from profiler.core.outcome import Failure, FailureKind, Measurement, Outcome
from profiler.core.target import BenchPlan
from profiler.store.store import Store
from profiler.worker.classify import Problem
from profiler.worker.launch import Report

Progress = Callable[[Work, int, int], None]


def measure(
    works: Sequence[Work],
    plan: BenchPlan,
    store: Store,
    environment_key: str,
    *,
    on_progress: Progress = lambda work, done, total: None,
) -> list[Outcome]:
    """Measure every work, one worker process at a time, in a seeded random order pass by pass.

    Passes interleave the candidates at process level, so that a slow change of the machine touches
    all of them alike. Every attempt is stored when it ends. A run that was killed is continued: its
    finished attempts are not repeated. Outcomes come back in the order of `works`.
    Raises: KeyboardInterrupt after the attempt in flight was stored as interrupted.
    """
    setting = Setting(plan, environment_key, open_session(works, plan, environment_key, store))
    order = random.Random(plan.seed)
    for number in range(plan.max_processes):
        waiting = [work for work in works if _needs(work, number, setting, store)]
        order.shuffle(waiting)
        for done, work in enumerate(waiting):
            on_progress(work, done, len(waiting))
            _attempt_and_store(work, setting, number, store)
    return [_outcome(work, setting.session, store) for work in works]


def open_session(
    works: Sequence[Work], plan: BenchPlan, environment_key: str, store: Store
) -> str:
    """Name the run: the unfinished run of the same works if there is one, else a new one."""
    identity = [sorted(work.key for work in works), plan.key, environment_key]
    stem = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]
    number = 1
    while all(_finished(work, plan, f"{stem}-{number}", store) for work in works):
        number += 1
    return f"{stem}-{number}"


def _finished(work: Work, plan: BenchPlan, session: str, store: Store) -> bool:
    if store.failure(session, *work.key) is not None:
        return True
    measured = store.measurement(session, *work.key)
    return measured is not None and not _wants_more(measured, plan)


def _needs(work: Work, number: int, setting: Setting, store: Store) -> bool:
    """Whether process `number` of a work is still to be run."""
    if store.failure(setting.session, *work.key) is not None:
        return False
    measured = store.measurement(setting.session, *work.key)
    if measured is None:
        return True
    return len(measured.attempts) <= number and _wants_more(measured, setting.plan)


def _wants_more(measured: Measurement, plan: BenchPlan) -> bool:
    count = len(measured.attempts)
    if count < plan.processes:
        return True
    return count < plan.max_processes and measured.latency.half_width > plan.interval


def _attempt_and_store(work: Work, setting: Setting, number: int, store: Store) -> None:
    try:
        ended = attempt(work, setting)
        if isinstance(ended, Failure) and ended.kind is FailureKind.CRASHED:
            store.put_failure(ended, number, retried=True)
            ended = attempt(work, setting)
    except KeyboardInterrupt:
        problem = Problem(FailureKind.INTERRUPTED, "stopped by the person")
        store.put_failure(failure(work, setting, problem, Report()), number, retried=True)
        raise
    if isinstance(ended, Failure):
        store.put_failure(ended, number)
    else:
        store.put_attempt(
            session=setting.session,
            number=number,
            model_sha256=work.model.sha256,
            label=work.label,
            target=work.target,
            plan=setting.plan,
            environment_key=setting.environment_key,
            inputs=work.inputs,
            attempt=ended,
        )


def _outcome(work: Work, session: str, store: Store) -> Outcome:
    found = store.failure(session, *work.key) or store.measurement(session, *work.key)
    if found is None:
        raise AssertionError(f"no outcome of {work.label} was stored")
    return found
