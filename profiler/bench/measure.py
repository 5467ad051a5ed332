"""Measure many models on many targets: interleaved processes, stored as they end, resumable."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

from profiler.bench.attempt import Setting, Work, attempt, failure
from profiler.bench.pace import pace_file
from profiler.bench.progress import read_state
from profiler.core.outcome import Attempt, Failure, FailureKind, Outcome
from profiler.core.target import BenchPlan
from profiler.store.store import Store
from profiler.worker.classify import Problem
from profiler.worker.launch import Launch, Report, launch

Pair: TypeAlias = tuple[Work, Setting]
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
    session = open_session(works, plan, environment_key, store)
    setting = Setting(plan, environment_key, session, pace_file(environment_key))
    pairs = [(work, setting) for work in works]
    return measure_pairs(pairs, store, plan.seed, on_progress=on_progress)


def measure_pairs(
    pairs: Sequence[Pair],
    store: Store,
    seed: int,
    *,
    on_progress: Progress = lambda done, total, text: None,
    start: Launch = launch,
) -> list[Outcome]:
    """As `measure`, each work with a setting of its own; what is stored already is not repeated.

    After a device was lost, what was still to be measured on it fails in the same way, untried.
    """
    order = random.Random(seed)
    states = {pair: read_state(store, pair[1].session, pair[0]) for pair in pairs}
    ended = sum(state.rows for state in states.values())
    total = sum(max(pair[1].plan.processes, state.rows) for pair, state in states.items())
    lost: dict[str, str] = {}
    while waiting := [p for p in states if states[p].wants_more(p[1].plan)]:
        order.shuffle(waiting)
        for pair in waiting:
            work, setting = pair
            on_progress(ended, max(total, ended + 1), f"{work.label} on {work.target.runtime}")
            _attempt_and_store(pair, states[pair].rows, store, lost, start)
            states[pair] = read_state(store, setting.session, work)
            ended += 1
    on_progress(ended, ended, "")
    return [states[pair].outcome for pair in pairs]


def open_session(works: Sequence[Work], plan: BenchPlan, environment_key: str, store: Store) -> str:
    """Name the run: the unfinished run of the same works if there is one, else a new one."""
    identity = [sorted(work.key for work in works), plan.key, environment_key]
    stem = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]
    number = 1
    while not any(read_state(store, f"{stem}-{number}", work).wants_more(plan) for work in works):
        number += 1
    return f"{stem}-{number}"


def _attempt_and_store(
    pair: Pair, number: int, store: Store, lost: dict[str, str], start: Launch
) -> None:
    work, setting = pair
    try:
        ended = _attempt(work, setting, lost, start)
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


def _attempt(
    work: Work, setting: Setting, lost: dict[str, str], start: Launch
) -> Attempt | Failure:
    device = work.target.device
    if device in lost:
        reason = f"not tried: {device} was lost while measuring {lost[device]}"
        return failure(work, setting, Problem(FailureKind.DEVICE_LOST, reason), Report())
    ended = attempt(work, setting, start)
    if isinstance(ended, Failure) and ended.kind is FailureKind.DEVICE_LOST:
        lost[device] = work.label
    return ended
