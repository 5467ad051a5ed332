"""A suite from its file to its outcomes: prepare every model, then measure what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nasprof import measuring
from nasprof.measuring import Note, Sizes
from nasprof.suites import Suite
from profiler.bench.attempt import Work
from profiler.bench.environment import capture
from profiler.bench.measure import Progress
from profiler.bench.suite import measure_suite
from profiler.core.outcome import Outcome
from profiler.core.target import BenchPlan, Target
from profiler.core.target_text import parse_target
from profiler.store.store import Store
from profiler.worker.pool import Pool, size_for

Plans = Mapping[int | None, BenchPlan]


def run_suite(
    suite: Suite,
    targets: Sequence[Target],
    plans: Plans,
    store: Store,
    *,
    retry_failed: bool,
    on_progress: Progress,
    on_note: Note,
) -> list[Outcome]:
    """Measure a suite; `plans` holds one plan for each batch.

    Every model is opened before anything is measured, so that a wrong one is told at once. Workers
    of a pool do everything; none starts while another measures.
    Raises: InputError for what is wrong with the file's models.
    """
    environment = capture()
    store.put_environment(environment)
    with Pool(size_for()) as pool:
        works = _prepare(suite, targets, plans, store, pool, on_progress, on_note)
        measuring.warn(suite.threads, on_note)
        return measure_suite(
            works,
            store,
            environment.key,
            seed=suite.seed,
            retry_failed=retry_failed,
            on_progress=on_progress,
            start=pool.launch,
        )


def _prepare(
    suite: Suite,
    targets: Sequence[Target],
    plans: Plans,
    store: Store,
    pool: Pool,
    on_progress: Progress,
    on_note: Note,
) -> list[tuple[Work, BenchPlan]]:
    works: list[tuple[Work, BenchPlan]] = []
    steps = [(batch, model) for batch in plans for model in suite.models]
    for number, (batch, model) in enumerate(steps):
        on_progress(number, len(steps), f"preparing {model}")
        sizes, plan = Sizes(batch, suite.dims, suite.input_shape), plans[batch]
        ready = measuring.prepare(model, sizes, suite.seed, store, on_note, pool.launch)
        found = measuring.works_for([ready], targets, sizes, plan, pool.launch)
        works += [(work, plan) for work in found]
    return works


def crossed(targets: Sequence[str], precisions: Sequence[str]) -> list[str]:
    """Every target at every precision; one that names its own keeps it."""
    written = [parse_target(text) for text in targets]
    return list(
        dict.fromkeys(
            (target if target.precision else replace(target, precision=precision)).key
            for target in written
            for precision in precisions
        )
    )
