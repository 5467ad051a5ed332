"""From a request to a fitted predictor in a file: from the store, a table, or few measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from nasprof import measuring
from nasprof.predict._metrics import Errors, errors
from nasprof.predict._predictor import Array, Predicted
from nasprof.predict._transfer import MIN_ROWS_NEW, Transfer
from nasprof.predict._transfer_basis import TransferBasis, basis_of
from nasprof.predicting.file import Saved
from nasprof.predicting.genes import parts_of
from nasprof.predicting.predictor import CostPredictor, held_out
from nasprof.predicting.training import (
    FEWEST,
    Training,
    from_store,
    from_table,
    genes_training,
    numbered,
)
from nasprof.spaces._genes import canonical_forms, distinct, sample
from nasprof.spaces._open import open_space
from nasprof.spaces._space import Genes, Space
from nasprof.subjects.space import candidate_subject
from nasprof.tables._library import default_folder, tables_of
from nasprof.tables._read import read_table
from nasprof.tables._recorded import BASE, open_recorded, recorded, recorded_columns
from nasprof.tables._table import Table
from profiler.bench.environment import capture
from profiler.core.choice import RECORDED
from profiler.core.errors import InputError
from profiler.core.outcome import Failure, Measurement
from profiler.core.target import BenchPlan, Target
from profiler.store.store import Store

Progress = Callable[[int, int, str], None]
Note = Callable[[str], None]

UNITS = {**BASE, "peak_memory": "B"}
_POOL = 1_000
"""Candidates of which the most telling are measured."""
_KNOWN_CELLS = 3_000
"""Candidates over which a known device is smoothed."""


@dataclass(frozen=True, slots=True)
class FitRequest:
    """What a person asks for; texts are in the grammar of the command line.

    `known` are tables of other devices: `recorded` for the imported ones, else files. With it the
    target is measured on `measurements` candidates, chosen here.
    """

    target: Target | None = None
    recorded: str | None = None
    metric: str = "latency"
    space: str | None = None
    environment: str | None = None
    table: Path | None = None
    columns: tuple[str, ...] = ()
    column: str | None = None
    unit: str | None = None
    known: tuple[str, ...] = ()
    measurements: int = 10
    seed: int = 0
    tables: Path | None = None


def fit(request: FitRequest, store: Store | None, on_progress: Progress, on_note: Note) -> Saved:
    """Fit a predictor and find its held-out errors.

    Raises: InputError for too few measurements or a request that does not hold together.
    """
    space = None if request.space is None else open_space(request.space)
    if request.metric not in UNITS:
        raise InputError(f"--predict {request.metric!r} is none of: {', '.join(UNITS)}")
    if request.known:
        return _few_shot(request, space, store, on_progress, on_note)
    training, target = _training(request, space, store)
    x, groups = training.x, np.array(training.groups)
    on_progress(0, 1, f"fitting to {len(x)} rows")
    tested = held_out(training.widths, x, training.values, groups, request.seed)
    return Saved(
        kind=training.kind,
        metric=request.metric,
        target=target,
        unit=UNITS[request.metric],
        space=space.name if space is not None and training.kind == "genes" else None,
        environment=training.environment,
        machine=training.machine,
        created_at=_now(),
        source=training.source,
        left_out=training.left_out,
        seed=request.seed,
        columns=training.columns,
        widths=training.widths,
        rows=tuple(map(tuple, x.tolist())),
        values=tuple(training.values.tolist()),
        groups=training.groups,
        labels=training.labels,
        heldout=tested,
    )


def evaluate(predictor: CostPredictor) -> Errors | None:
    """The held-out errors of a predictor, found again from what its file holds."""
    saved = predictor.saved
    x, y = np.array(saved.rows, dtype=np.float64), np.array(saved.values)
    if saved.kind != "transfer":
        return held_out(saved.widths, x, y, np.array(saved.groups), saved.seed)
    assert predictor.space is not None
    assert predictor.basis is not None
    genes = [tuple(int(gene) for gene in row) for row in saved.rows]
    return _left_out(predictor.basis, predictor.basis.rows(parts_of(predictor.space, genes)), y)


def _training(
    request: FitRequest, space: Space | None, store: Store | None
) -> tuple[Training, str]:
    if request.table is not None:
        if space is None and not request.columns:
            raise InputError("--table needs --genes COLUMN,... or --space NAME: what a row is")
        found = from_table(
            request.table, request.columns, space, request.metric, request.column, request.unit
        )
        return found, f"{request.table.name}:{found.source.rpartition(':')[2]}"
    if request.recorded is not None:
        return _of_recorded(request, space), f"{RECORDED}:{request.recorded}"
    if request.target is None or store is None:
        raise InputError("name what to predict: --target RUNTIME or --table FILE")
    if request.metric not in ("latency", "peak_memory"):
        raise InputError(f"the store has no {request.metric} of a target; give a --table")
    key = request.target.key
    return from_store(store, key, request.metric, space, request.environment), key


def _of_recorded(request: FitRequest, space: Space | None) -> Training:
    if space is None:
        raise InputError("a recorded target needs --space NAME: whose architectures its rows are")
    folder = default_folder() if request.tables is None else request.tables
    assert request.recorded is not None
    found = open_recorded(request.recorded, request.metric, space, tables_of(space.name, folder))
    if found.layers:
        raise InputError(f"{found.label} adds up layers: it needs no predictor")
    training = genes_training(
        space, list(found.rows), found.values[list(found.rows.values())], found.label
    )
    if len(training.values) < FEWEST:
        raise InputError(f"{found.label} has fewer than {FEWEST} values of {request.metric}")
    return training


def _few_shot(
    request: FitRequest,
    space: Space | None,
    store: Store | None,
    on_progress: Progress,
    on_note: Note,
) -> Saved:
    if space is None or request.target is None or store is None:
        raise InputError("--from needs --space NAME and --target RUNTIME: what is measured here")
    if request.metric != "latency":
        raise InputError(f"--from predicts latency, not {request.metric}")
    if request.measurements <= MIN_ROWS_NEW:
        raise InputError(f"--measurements {request.measurements} are too few; give at least 3")
    rng = np.random.default_rng(request.seed)
    cells, known = _known(request, space, rng)
    basis = basis_of(parts_of(space, cells), known)
    pool = distinct(space, sample(space, _POOL, rng))
    rows = basis.rows(parts_of(space, pool))
    chosen = Transfer(basis.widths).choose(rows, request.measurements)
    genes, values = _measured(
        request, space, [pool[i] for i in chosen], store, on_progress, on_note
    )
    if len(values) <= MIN_ROWS_NEW:
        raise InputError(
            f"only {len(values)} of {request.measurements} candidates could be measured on "
            f"{request.target.key}; nasprof history shows why"
        )
    y = np.array(values)
    environment = capture()
    return Saved(
        kind="transfer",
        metric=request.metric,
        target=request.target.key,
        unit=UNITS[request.metric],
        space=space.name,
        environment=environment.key,
        machine=environment.cpu_model,
        created_at=_now(),
        source=f"store {store.name}; known devices: {', '.join(known)}",
        left_out=len(chosen) - len(values),
        seed=request.seed,
        columns=space.gene_names,
        widths=(),
        rows=tuple(tuple(map(float, cell)) for cell in genes),
        values=tuple(values),
        groups=numbered(canonical_forms(space, genes)),
        labels=tuple(space.describe(cell) for cell in genes),
        heldout=_left_out(basis, basis.rows(parts_of(space, genes)), y),
        known=tuple((name, tuple(column.tolist())) for name, column in known.items()),
        known_genes=tuple(cells),
    )


def _known(
    request: FitRequest, space: Space, rng: np.random.Generator
) -> tuple[list[Genes], dict[str, Array]]:
    """Candidates with what each known device takes for them, in ns."""
    folder = default_folder() if request.tables is None else request.tables
    tables: list[Table] = []
    for name in request.known:
        tables += tables_of(space.name, folder) if name == RECORDED else [read_table(Path(name))]
    targets = [
        recorded(table, column, space)
        for table in tables
        for column in recorded_columns(table, space)
        if column.metric == request.metric
    ]
    whole = [target for target in targets if not target.layers]
    if not whole:
        raise InputError(
            f"no {request.metric} of another device is known for {space.name}: import a table with "
            "nasprof tables import, or name a file with --from FILE"
        )
    shared = set.intersection(*(set(target.rows) for target in whole))
    values = [[target.values[target.rows[cell]] for target in whole] for cell in sorted(shared)]
    good = [i for i, row in enumerate(values) if np.all(np.isfinite(row)) and min(row) > 0]
    if len(good) < FEWEST:
        raise InputError(f"the known devices share {len(good)} candidates; {FEWEST} are needed")
    kept = sorted(rng.permutation(good)[:_KNOWN_CELLS].tolist())
    cells = sorted(shared)
    columns = {
        target.target: np.array([values[i][k] for i in kept]) for k, target in enumerate(whole)
    }
    return [cells[i] for i in kept], columns


def _measured(
    request: FitRequest,
    space: Space,
    candidates: Sequence[Genes],
    store: Store,
    on_progress: Progress,
    on_note: Note,
) -> tuple[list[Genes], list[float]]:
    """Measure candidates one after another; what the store has of this machine is not measured."""
    assert request.target is not None
    plan = BenchPlan.quick(seed=request.seed)
    found: list[Genes] = []
    values: list[float] = []
    for number, genes in enumerate(candidates):
        on_progress(number, len(candidates), f"measuring {space.describe(genes)}")
        sizes = measuring.Sizes()
        subject = candidate_subject(space, genes)
        ready = measuring.prepare(subject, sizes, request.seed, store, on_note)
        outcome: Measurement | Failure | None = store.find_measurement(
            ready.model.sha256, request.target, plan, capture().key, plan.processes
        )
        if outcome is None:
            (outcome,) = measuring.measure_models(
                [ready], [request.target], sizes, plan, store, lambda done, total, text: None
            )
        if isinstance(outcome, Failure):
            on_note(f"{subject.text} is left out: {outcome.kind}: {outcome.message}")
            continue
        found.append(genes)
        values.append(outcome.latency.median_ns)
    return found, values


def _left_out(basis: TransferBasis, rows: Array, y: Array) -> Errors:
    """Errors when each measurement in turn is predicted from the others."""
    every = []
    for i in range(len(y)):
        kept = np.arange(len(y)) != i
        every.append(Transfer(basis.widths).fit(rows[kept], y[kept]).predict(rows[[i]]))
    joined = [np.concatenate([getattr(p, n) for p in every]) for n in ("mean", "low", "high")]
    return errors(y, Predicted(*joined))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
