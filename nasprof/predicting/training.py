"""What a predictor is fitted to: measurements of a target, or a column of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasprof.predict._predictor import Array
from nasprof.predicting.genes import grouped, parts_of
from nasprof.predicting.models import columns_of, matrix, model_features, widths_of
from nasprof.spaces._genes import canonical_forms
from nasprof.spaces._space import Genes, Space
from nasprof.subjects.space import candidate_genes
from nasprof.tables._read import read_table
from nasprof.tables._recorded import SCALES, recorded_columns
from nasprof.tables._table import Table
from profiler.bench.environment import capture
from profiler.core.errors import InputError
from profiler.core.outcome import Measurement
from profiler.core.summary import Verdict
from profiler.store.records import ModelRecord
from profiler.store.store import Store

FEWEST = 10
"""Fewest measurements that a predictor is fitted to."""
_TOO_NOISY = 0.10
"""Half-width of a flagged measurement's interval, relative, from which it is left out."""


@dataclass(frozen=True, slots=True)
class Training:
    """Rows with values, and where they come from.

    Shapes: x [n, d]. Unit: base units (ns, mJ, bytes). `groups` are equal for equal architectures.
    """

    kind: str
    columns: tuple[str, ...]
    widths: tuple[int, ...]
    x: Array
    values: Array
    groups: tuple[int, ...]
    labels: tuple[str, ...]
    source: str
    environment: str | None = None
    machine: str | None = None
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    measured: Measurement
    value: float
    model: ModelRecord | None


def from_store(
    store: Store, target: str, metric: str, space: Space | None, environment: str | None
) -> Training:
    """Measurements of a target by one environment: this machine's, else the one with most.

    With a space only its candidates count, and their genes are the features; else operators of the
    static profile are. Invalid measurements and very noisy ones are left out; of several of one
    model the surest counts.
    Raises: InputError when there are too few.
    """
    outcomes = store.outcomes(targets=[target])
    # Beside other streams of its own a model takes another time.
    measured = [o for o in outcomes if isinstance(o, Measurement) and o.plan.streams == 1]
    chosen = environment or _environment(measured)
    here = [m for m in measured if m.environment_key == chosen]
    usable = [m for m in here if _usable(m)]
    rows = [_Row(m, _value(m, metric), store.model(m.model_sha256)) for m in _surest(usable)]
    out = len(here) - len(usable)
    found = _by_genes(rows, space) if space is not None else _by_operators(store, rows)
    _enough(len(found.values), target, space)
    known = None if chosen is None else store.environment(chosen)
    machine = None if known is None else known.gpu.name if known.gpu else known.cpu_model
    return Training(
        found.kind, found.columns, found.widths, found.x, found.values, found.groups, found.labels,
        f"store {store.name}", chosen, machine, out,
    )  # fmt: skip


def genes_training(
    space: Space, candidates: Sequence[Genes], values: Array, source: str
) -> Training:
    """Candidates of a space with their values; those without one are left out."""
    has = np.flatnonzero(np.isfinite(values) & (values > 0))
    kept = [candidates[i] for i in has.tolist()]
    x, widths = grouped(parts_of(space, kept))
    return Training(
        "genes",
        tuple(f"feature {i}" for i in range(x.shape[1])),
        widths,
        x,
        values[has],
        numbered(canonical_forms(space, kept)),
        tuple(space.describe(genes) for genes in kept),
        source,
        left_out=len(candidates) - len(kept),
    )


def from_table(
    path: Path, columns: Sequence[str], space: Space | None, metric: str, column: str | None,
    unit: str | None,
) -> Training:  # fmt: skip
    """A column of a table: features are `columns` of it, or the genes of a space.

    Raises: InputError when a column is not there, its unit is unknown or there are too few rows.
    """
    table = read_table(path)
    name, scale = _column(table, metric, column, unit, space)
    values = table.numbers(name) * scale
    if space is not None:
        rows = table.candidates(space)
        found = genes_training(
            space, list(rows), values[list(rows.values())], f"{path.name}:{name}"
        )
    else:
        found = _by_columns(table, columns, values, f"{path.name}:{name}")
    if len(found.values) < FEWEST:
        raise InputError(
            f"{path} has {len(found.values)} rows with {name!r} above 0; a predictor needs at "
            f"least {FEWEST}"
        )
    return found


def column_row(columns: Sequence[str], text: str) -> list[float]:
    """Features of `a=3,op=conv` for a predictor from columns of a table.

    Raises: InputError naming the column that is missing or no number.
    """
    given = dict(part.strip().split("=", 1) for part in text.split(",") if "=" in part)
    wanted = dict.fromkeys(column.partition("=")[0] for column in columns)
    missing = [name for name in wanted if name not in given]
    if missing or set(given) - set(wanted):
        example = ",".join(f"{name}=..." for name in wanted)
        raise InputError(f"{text!r} is no row of this predictor's table; write {example}")
    row = []
    for column in columns:
        name, equals, option = column.partition("=")
        try:
            row.append(float(given[name] == option) if equals else float(given[name]))
        except ValueError:
            raise InputError(f"{name} is a number in this predictor, not {given[name]!r}") from None
    return row


def known_options(columns: Sequence[str], text: str) -> bool:
    """Whether every named option of a row was seen in training."""
    given = dict(part.strip().split("=", 1) for part in text.split(",") if "=" in part)
    named = {column.partition("=")[0] for column in columns if "=" in column}
    return all(f"{name}={given.get(name)}" in columns for name in named)


def numbered(keys: Sequence[object]) -> tuple[int, ...]:
    """A number for each key, the same for equal keys."""
    numbers: dict[object, int] = {}
    return tuple(numbers.setdefault(key, len(numbers)) for key in keys)


def _environment(measured: Sequence[Measurement]) -> str | None:
    keys = [m.environment_key for m in measured]
    here = capture().key
    return here if here in keys else max(keys, key=keys.count, default=None)


def _usable(measured: Measurement) -> bool:
    latency = measured.latency
    if latency.verdict is Verdict.INVALID:
        return False
    return latency.verdict is Verdict.VALID or latency.half_width <= _TOO_NOISY


def _surest(measured: Sequence[Measurement]) -> list[Measurement]:
    best: dict[tuple[object, ...], Measurement] = {}
    for m in measured:
        key = (m.model_sha256, m.plan.dims)
        if key not in best or m.latency.half_width < best[key].latency.half_width:
            best[key] = m
    return list(best.values())


def _value(measured: Measurement, metric: str) -> float:
    return measured.latency.median_ns if metric == "latency" else float(measured.memory_bytes)


def _by_genes(rows: Sequence[_Row], space: Space) -> Training:
    found = []
    for row in rows:
        text = row.model.subject or row.model.label if row.model else ""
        name, _, candidate = text.partition(":")
        if name == space.name and candidate:
            found.append((candidate_genes(space, candidate), row.value))
    values = np.array([value for _, value in found], dtype=np.float64)
    return genes_training(space, [genes for genes, _ in found], values, "")


def _by_operators(store: Store, rows: Sequence[_Row]) -> Training:
    costs = [store.cost(row.measured.model_sha256, row.measured.plan.dims) for row in rows]
    counted = [(row, cost) for row, cost in zip(rows, costs, strict=True) if cost is not None]
    profiles = [model_features(cost) for _, cost in counted]
    columns = columns_of(profiles)
    return Training(
        "operators",
        columns,
        widths_of(columns),
        matrix(profiles, columns).reshape(len(profiles), len(columns)),
        np.array([row.value for row, _ in counted], dtype=np.float64),
        numbered([tuple(sorted(profile.items())) for profile in profiles]),
        tuple(row.measured.label for row, _ in counted),
        "",
    )


def _by_columns(table: Table, columns: Sequence[str], values: Array, source: str) -> Training:
    names: list[str] = []
    parts: list[list[float]] = []
    for name in columns:
        options = table.values(name)
        if table.column(name).kind == "number":
            names.append(name)
            parts.append([float(v) for v in table.numbers(name)])
        else:
            for option in dict.fromkeys(options):
                names.append(f"{name}={option}")
                parts.append([float(v == option) for v in options])
    x = np.array(parts, dtype=np.float64).T
    has = np.flatnonzero(np.isfinite(values) & (values > 0) & np.isfinite(x).all(axis=1))
    kept = x[has]
    return Training(
        "columns",
        tuple(names),
        (len(names),),
        kept,
        values[has],
        numbered(list(map(tuple, kept.tolist()))),
        tuple(f"row {row + 1}" for row in has),
        source,
        left_out=len(values) - len(has),
    )


def _column(
    table: Table, metric: str, column: str | None, unit: str | None, space: Space | None
) -> tuple[str, float]:
    scales = SCALES.get(metric, {"B": 1.0})
    known = {c.column: c for c in recorded_columns(table, space) if c.metric == metric}
    if column is None and len(known) == 1:
        column = next(iter(known))
    if column is None:
        raise InputError(
            f"{table.path}: name the column to predict with --metric; columns: "
            f"{', '.join(table.names)}"
        )
    table.numbers(column)
    found = unit or (known[column].unit if column in known else None)
    if found not in scales:
        raise InputError(
            f"the unit of column {column!r} of {table.path} is not known; give --unit, one of: "
            f"{', '.join(scales)}"
        )
    return column, scales[found]


def _enough(count: int, target: str, space: Space | None) -> None:
    if count < FEWEST:
        what = "" if space is None else f" of candidates of {space.name}"
        runtime = target.partition("/")[0]
        raise InputError(
            f"the store has {count} usable measurements{what} on {target} by one machine; a "
            f"predictor needs at least {FEWEST}: measure more with nasprof bench MODEL... --on "
            f"{runtime}, or let nasprof predict fit --from do it"
        )
