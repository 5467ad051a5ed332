"""Suites: each result has a key, and what has a result under its key is not measured again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from profiler.bench.attempt import Setting, Work
from profiler.bench.measure import Pair, Progress, measure_pairs
from profiler.bench.pace import pace_file
from profiler.bench.progress import read_state
from profiler.core.outcome import Outcome
from profiler.core.plain import to_plain
from profiler.core.stopping import why_stopped
from profiler.core.target import BenchPlan
from profiler.store.store import Store
from profiler.worker.launch import Launch, launch

PROTOCOL = 1
"""Version of docs/measuring.md: raised when the same machine would give another number."""


def result_key(work: Work, plan: BenchPlan, environment_key: str) -> str:
    """What a result belongs to, as one hash: all that could make another number of it.

    That is the model's content, the inputs' shapes and types, the target with every option, the
    plan, the environment and the version of the protocol. The model's name is no part of it.
    """
    parts = [
        PROTOCOL, work.model.sha256, to_plain(work.inputs), to_plain(work.target), plan.key,
        environment_key,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def measure_suite(
    works: Sequence[tuple[Work, BenchPlan]],
    store: Store,
    environment_key: str,
    *,
    seed: int = 0,
    retry_failed: bool = False,
    on_progress: Progress = lambda done, total, text: None,
    start: Launch = launch,
) -> list[Outcome]:
    """Measure what has no result yet; outcomes come back in the order of `works`.

    A suite that was killed is continued, and repeats at most the attempt in flight. A result of
    any other run counts when all of its key is the same. A failure is a result too, unless
    `retry_failed` asks for another try.
    Raises: KeyboardInterrupt after the attempt in flight was stored as interrupted.
    """
    known: dict[int, Outcome] = {}
    pairs: dict[str, Pair] = {}
    keys = [result_key(work, plan, environment_key) for work, plan in works]
    for place, (work, plan) in enumerate(works):
        if (found := _elsewhere(work, plan, environment_key, store)) is not None:
            known[place] = found
        elif keys[place] not in pairs:
            session = _session(keys[place], work, store, retry_failed)
            paces = pace_file(environment_key)
            pairs[keys[place]] = (work, Setting(plan, environment_key, session, paces))
    fresh = measure_pairs(list(pairs.values()), store, seed, on_progress=on_progress, start=start)
    measured = dict(zip(pairs, fresh, strict=True))
    return [known.get(place) or measured[key] for place, key in enumerate(keys)]


def _elsewhere(work: Work, plan: BenchPlan, environment_key: str, store: Store) -> Outcome | None:
    """A finished measurement of exactly this, whichever run made it."""
    found = store.find_measurement(
        work.model.sha256, work.target, plan, environment_key, plan.processes
    )
    if found is None or found.inputs != work.inputs or why_stopped(found) is None:
        return None
    return found


def _session(key: str, work: Work, store: Store, retry_failed: bool) -> str:
    """Where the attempts of a key are kept; another place for every further try."""
    number = 1
    while retry_failed and read_state(store, f"suite-{key}-{number}", work).failed is not None:
        number += 1
    while not retry_failed and read_state(store, f"suite-{key}-{number + 1}", work).rows:
        number += 1
    return f"suite-{key}-{number}"
