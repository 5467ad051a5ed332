"""The main job on built-in defaults: measure, search under a limit, report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from nasprof import api

if TYPE_CHECKING:
    from nasprof.search.loop import SearchResult
    from profiler.core.outcome import Outcome
    from reports.write import Report

SPACE, TARGET, SEED = "nasbench201", "onnxruntime-cpu", 0


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demonstration made. Unit: `limit_ms` is a latency in ms."""

    outcomes: list[Outcome]
    limit_ms: float
    result: SearchResult
    report: Report


def run(
    folder: Path,
    *,
    sample: int,
    queries: int,
    on_progress: api.Progress,
    on_step: Callable[[str], None],
    on_note: api.Note,
) -> Demo:
    """Run the demonstration in a folder; what an earlier run measured there is used again.

    Raises: InputError or StoreError as the steps do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "store.db"
    on_step(f"1/3 measure {sample} random networks of {SPACE} on {TARGET}")
    outcomes = api.bench_all(
        candidates(sample), [TARGET], quick=True, seed=SEED, store=store,
        on_progress=on_progress, on_note=on_note,
    )  # fmt: skip
    limit_ms = median_ms(outcomes)
    on_step(f"2/3 search under latency@{TARGET}<={limit_ms}ms, the median of those networks")
    result = api.search(
        SPACE, accuracy="digits", limits=[f"latency@{TARGET}<={limit_ms}ms"], queries=queries,
        seed=SEED, resume=True, store=store, on_progress=on_progress, on_note=on_note,
    )  # fmt: skip
    on_step("3/3 report")
    return Demo(outcomes, limit_ms, result, api.report(folder / "report", store=store))


def candidates(count: int) -> list[str]:
    """Random networks of the space; a search with the same seed begins with the first of them."""
    import numpy as np

    from nasprof.spaces._genes import sample_distinct
    from profiler.core.plugins import load

    space = load("nasprof.spaces", SPACE)
    rng = np.random.default_rng([SEED, 0])
    return [f"{SPACE}:{space.describe(genes)}" for genes in sample_distinct(space, count, rng)]


def median_ms(outcomes: list[Outcome]) -> float:
    """Median latency of those that were measured, in ms, to three digits."""
    from profiler.core.outcome import Measurement

    found = [o.latency.median_ns / 1e6 for o in outcomes if isinstance(o, Measurement)]
    return float(f"{median(found):.3g}")
