"""Measure many models on many targets: interleaved processes, stored as they end, resumable."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence

from profiler.bench.attempt import Setting, Work, attempt, failure
from profiler.bench.progress import read_state
from profiler.core.outcome import Failure, FailureKind, Outcome
from profiler.core.target import BenchPlan
from profiler.store.store import Store
from profiler.worker.classify import Problem
from profiler.worker.launch import Report

Progress = Callable[[int, int, str], None]


def measure(
    works: Sequence[Work],
    plan: BenchPlan,
    store: Store,
    environment_key: str,
    *,
    on_progress: Progress = lambda done, total, text: None,
) -> list[Outcome]:
    """Measure every work, one worker process at a time, in a seeded random order pass by pass.

    Passes interleave the candidates at process level, so that a slow change of the machine touches
    all of them alike. Every attempt is stored when it ends; a run that was killed is continued and
    repeats at most the attempt that was in flight. Outcomes come back in the order of `works`.
    Raises: KeyboardInterrupt after the attempt in flight was stored as interrupted.
    """
    if not works:
        return []
    setting = Setting(plan, environment_key, open_session(works, plan, environment_key, store))
    order = random.Random(plan.seed)
    waiting, ended, total = list(works), 0, len(works) * plan.processes
    while waiting := [w for w in waiting if read_state(store, setting.session, w).wants_more(plan)]:
        order.shuffle(waiting)
        for work in waiting:
            on_progress(ended, max(total, ended + 1), f"{work.label} on {work.target.runtime}")
            _attempt_and_store(work, setting, store)
            ended += 1
    return [read_state(store, setting.session, work).outcome for work in works]


def open_session(works: Sequence[Work], plan: BenchPlan, environment_key: str, store: Store) -> str:
    """Name the run: the unfinished run of the same works if there is one, else a new one."""
    identity = [sorted(work.key for work in works), plan.key, environment_key]
    stem = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]
    number = 1
    while not any(read_state(store, f"{stem}-{number}", work).wants_more(plan) for work in works):
        number += 1
    return f"{stem}-{number}"


def _attempt_and_store(work: Work, setting: Setting, store: Store) -> None:
    number = read_state(store, setting.session, work).rows
    try:
        ended = attempt(work, setting)
    except KeyboardInterrupt:
        problem = Problem(FailureKind.INTERRUPTED, "stopped by the person")
        store.put_failure(failure(work, setting, problem, Report()), number)
        raise
    if isinstance(ended, Failure):
        store.put_failure(ended, number)
        return
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
