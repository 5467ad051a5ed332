"""Commands that measure and search the same again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from profiler.core.choice import Constraint
from profiler.core.target import BenchPlan
from profiler.store.records import SearchRecord
from reports.gather import Material, Subject
from reports.quantities import shown
from reports.search_view import SearchView

_UNITS = {"latency": (1e6, "ms"), "energy": (1.0, "mJ"), "peak_memory": (2.0**20, "MiB")}


def commands(material: Material) -> list[str]:
    """One line for each different thing that was asked, ready for a shell."""
    benches = [_bench(s) for s in material.shown if s.row.trial is None]
    searches = [] if material.search is None else [_search(material.search)]
    return list(dict.fromkeys([*benches, *searches]))


def _bench(subject: Subject) -> str:
    assert subject.measurement is not None
    row, plan = subject.row, subject.measurement.plan
    parts = ["nasprof", "bench", shown(row.label), "--on", row.runtime]
    parts += ["--threads", str(row.threads), *_sizes(plan.dims), "--seed", str(row.seed)]
    quick = plan == BenchPlan.quick(seed=plan.seed, dims=plan.dims)
    return shlex.join([*parts, *(["--quick"] if quick else [])])


def _sizes(dims: Iterable[tuple[str, int]]) -> list[str]:
    parts = []
    for name, size in dims:
        parts += ["--batch", str(size)] if name == "batch" else ["--dim", f"{shown(name)}={size}"]
    return parts


def _search(view: SearchView) -> str:
    record = view.record
    parts = ["nasprof", "search", *_space(record)]
    parts += ["--accuracy", shown(record.accuracy)]
    for limit in record.constraints:
        parts += ["--limit", f"{shown(limit.key)}<={_value(limit)}"]
    for objective in record.objectives[1:]:
        parts += ["--minimize", shown(objective.key)]
    if record.config.get("measure_all") is True:
        parts += ["--measure-all"]
    parts += ["--queries", str(record.queries), "--strategy", shown(record.strategy)]
    if isinstance(threads := record.config.get("threads"), int):
        parts += ["--threads", str(threads)]
    recorded = record.config.get("recorded")
    if isinstance(recorded, dict) and isinstance(file := recorded.get("file"), str):
        parts += ["--recorded", shown(file)]
    return shlex.join([*parts, "--seed", str(record.seed)])


def _space(record: SearchRecord) -> list[str]:
    """The space by its name, or the file that it was made of."""
    named = record.config.get("space")
    parts = ["--space", shown(named if isinstance(named, str) else record.space)]
    genes, metric = record.config.get("genes"), record.config.get("metric")
    if isinstance(genes, list) and isinstance(metric, str):
        parts += ["--genes", shown(",".join(map(str, genes)), 1000), "--metric", shown(metric)]
    return parts


def _value(limit: Constraint) -> str:
    name = "peak_memory" if limit.metric.endswith("_bytes") else limit.metric
    scale, unit = _UNITS.get(name, (1.0, ""))
    return f"{limit.limit / scale:.12g}{unit}"
