"""Commands that measure and search the same again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from profiler.core.choice import Constraint
from profiler.core.target import BenchPlan
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
    parts = ["nasprof", "search", "--space", shown(record.space)]
    parts += ["--accuracy", shown(record.accuracy)]
    for limit in record.constraints:
        parts += ["--limit", f"{shown(limit.key)}<={_value(limit)}"]
    parts += ["--queries", str(record.queries), "--strategy", shown(record.strategy)]
    if isinstance(threads := record.config.get("threads"), int):
        parts += ["--threads", str(threads)]
    return shlex.join([*parts, "--seed", str(record.seed)])


def _value(limit: Constraint) -> str:
    name = "peak_memory" if limit.metric.endswith("_bytes") else limit.metric
    scale, unit = _UNITS.get(name, (1.0, ""))
    return f"{limit.limit / scale:.12g}{unit}"
