"""The public names of nasprof: what every command does, callable from Python.

Libraries that take long to import are imported inside the functions, so that `import nasprof` and
`nasprof --help` stay fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Imported before the function of the same name exists: an import of the package later on would
# replace the function by the module.
import nasprof.search  # noqa: F401
from profiler.core.errors import InputError, MeasurementError, UnavailableError

if TYPE_CHECKING:
    from nasprof.bundle import Bundle
    from nasprof.catalogue import Kind, ListedSpace, ShownTable
    from nasprof.diagnosing import Diagnosis
    from nasprof.exporting import Exported, Reference
    from nasprof.predict._metrics import Errors
    from nasprof.predicting.predictor import CostPredictor
    from nasprof.profiling import Profiled
    from nasprof.prune._report import Pruned
    from nasprof.search.loop import SearchResult
    from nasprof.search.propagating import Propagated
    from nasprof.spaces._show import Shown
    from nasprof.tables._library import TableInfo
    from profiler.bench.audit import Audit
    from profiler.bench.devices import Device
    from profiler.core.comparison import Compared
    from profiler.core.cost import GraphCost
    from profiler.core.outcome import Measurement, Outcome
    from profiler.core.target import BenchPlan, Target
    from profiler.cost.explain import Difference
    from profiler.cost.polynomial import Polynomial
    from profiler.cost.roofline import Roofline
    from profiler.environments._environment import Installed
    from profiler.store.records import Calibration, HistoryEntry
    from profiler.store.store import Store
    from reports.card import Card
    from reports.write import Report

Progress = Callable[[int, int, str], None]
Note = Callable[[str], None]
Limits = Sequence[str]


def _silent(done: int, total: int, text: str) -> None:
    """Show no progress."""


def _quiet(text: str) -> None:
    """Say nothing."""


def export(
    subject: Reference,
    output: str | Path | None = None,
    *,
    batch: int = 1,
    dynamic_batch: bool = False,
    opset: int | None = None,
    seed: int = 0,
    weights: str | Path | None = None,
    input_shape: tuple[int, ...] | None = None,
    exporter: str = "auto",
    force: bool = False,
) -> Exported:
    """Export a network to ONNX, verified against torch on three seeds.

    `subject` is a reference such as `reference:resnet18` or a torch module; without `output` the
    file stays in the cache.
    Shapes: `input_shape` is one input without its batch dimension.
    Raises: InputError when the subject cannot be exported.
    """
    from nasprof import exporting

    return exporting.export(
        exporting.resolve(subject, input_shape),
        None if output is None else Path(output),
        batch=batch,
        dynamic_batch=dynamic_batch,
        opset=opset,
        seed=seed,
        weights=None if weights is None else Path(weights),
        exporter=exporter,
        force=force,
    )


def export_to(
    subject: Reference,
    formats: Sequence[str],
    folder: str | Path,
    *,
    precisions: Sequence[str] = ("fp32",),
    calibrate: str | Path = "random",
    calibration: str = "minmax",
    dynamic: bool = False,
    operators: Sequence[str] = (),
    optimize: str = "none",
    batch: int = 1,
    opset: int | None = None,
    seed: int = 0,
    weights: str | Path | None = None,
    input_shape: tuple[int, ...] | None = None,
    exporter: str = "auto",
    force: bool = False,
) -> Bundle:
    """Export a network to several runtimes' formats, each verified on three seeds.

    `folder` gets a sub-folder for each format and precision, and `manifest.json`. A format that
    gives nothing is told with its reason. The next four are for int8: `calibrate` is an `.npz` file
    or a folder of them, `calibration` one of minmax, entropy and percentile. `optimize` is how the
    graph is optimised before: none, onnxslim, ort-basic or ort-extended.
    Raises: InputError for bad input, before any work.
    """
    from exporters.calibration_data import Calibration
    from nasprof import bundle

    return bundle.write_bundle(
        subject,
        formats,
        Path(folder),
        precisions=precisions,
        calibration=Calibration(str(calibrate), calibration, dynamic, tuple(operators)),
        optimize=optimize,
        batch=batch,
        opset=opset,
        seed=seed,
        weights=None if weights is None else Path(weights),
        input_shape=input_shape,
        exporter=exporter,
        force=force,
    )


def inspect(
    model: Reference,
    *,
    batch: int | None = None,
    dims: Mapping[str, int] | None = None,
    input_shape: tuple[int, ...] | None = None,
    convention: str = "nasprof",
) -> GraphCost:
    """Count MACs, FLOPs, parameters and memory of an ONNX file, a subject or a torch module.

    Raises: InputError when it is no model or cannot be counted.
    """
    from nasprof import inspecting

    question = inspecting.Question(model, batch, dims or {}, input_shape)
    return inspecting.count(question, convention)


def explain(
    model: Reference,
    convention: str,
    *,
    batch: int | None = None,
    dims: Mapping[str, int] | None = None,
    input_shape: tuple[int, ...] | None = None,
) -> tuple[Difference, ...]:
    """List by operator type how another tool's figure differs from nasprof's MACs, and why.

    Raises: as `inspect`.
    """
    from nasprof import inspecting

    question = inspecting.Question(model, batch, dims or {}, input_shape)
    return inspecting.differences(question, convention)


def polynomials(
    model: Reference, *, dims: Mapping[str, int] | None = None
) -> dict[str, Polynomial | None]:
    """MACs, FLOPs and activation peak of an ONNX file as polynomials of its symbolic dimensions.

    Raises: as `inspect`.
    """
    from nasprof import inspecting

    return inspecting.polynomials(inspecting.Question(model, None, dims or {}))


def roofline(cost: GraphCost, *, threads: int = 1, store: str | Path | None = None) -> Roofline:
    """Put a counted graph under this machine's measured peaks.

    Raises: InputError when the machine has not been calibrated, see `calibrate`.
    """
    from profiler.bench.calibration import stored_peaks
    from profiler.cost.roofline import roofline as under

    with _open(store, read_only=True) as opened:
        return under(cost, stored_peaks(opened, threads))


def calibrate(
    *, threads: int = 1, seconds: float = 1.0, store: str | Path | None = None
) -> Calibration:
    """Measure this machine's peak arithmetic by precision and its memory bandwidth.

    Unit: `seconds` is spent on each precision.
    Raises: MeasurementError when the worker fails.
    """
    from profiler.bench.calibration import calibrate as measure_peaks

    with _open(store) as opened:
        opened.check_writable()
        return measure_peaks(opened, threads, seconds)


def bench(
    model: Reference,
    target: str = "onnxruntime-cpu",
    *,
    threads: int = 1,
    batch: int | None = None,
    input_shape: tuple[int, ...] | None = None,
    quick: bool = False,
    seed: int = 0,
    store: str | Path | None = None,
) -> Measurement:
    """Measure one model, subject or torch module on one target.

    Unit: `Measurement.latency` is in ns for one inference of the whole batch.
    Raises: MeasurementError when it failed (the failure is stored), InputError for bad input.
    """
    from profiler.core.outcome import Failure

    (outcome,) = bench_all(
        [model],
        [target],
        threads=[threads],
        batches=[batch],
        input_shape=input_shape,
        quick=quick,
        seed=seed,
        store=store,
    )
    if isinstance(outcome, Failure):
        raise MeasurementError(f"{outcome.label} on {target}: {outcome.kind}: {outcome.message}")
    return outcome


def bench_all(
    models: Sequence[Reference],
    targets: Sequence[str] = ("onnxruntime-cpu",),
    *,
    threads: Sequence[int] = (1,),
    batches: Sequence[int | None] = (None,),
    streams: Sequence[int] = (1,),
    precision: str = "fp32",
    dims: Mapping[str, int] | None = None,
    input_shape: tuple[int, ...] | None = None,
    quick: bool = False,
    require_quiet: bool = False,
    lock_gpu_clock: int | None = None,
    seed: int = 0,
    optimize: Sequence[str] = (),
    calibrate: str | Path = "random",
    store: str | Path | None = None,
    on_progress: Progress = _silent,
    on_note: Note = _quiet,
) -> list[Outcome]:
    """Measure every model on every target at every thread count, batch and number of streams.

    A failed measurement is an outcome of its own; a run that was killed is continued. A target that
    cannot be used here is told to `on_note` and left out while others can. `lock_gpu_clock` holds
    the GPU's multiprocessors at so many MHz meanwhile, and frees them whatever happens. `streams`
    counts the instances of a model that run at once; `Measurement.throughput` is all theirs.
    `require_quiet` measures nothing where others use the machine. `optimize` measures every target
    with the graph optimised in each of these ways: none, onnxslim, ort-basic, ort-extended.
    `calibrate` is the `.npz` file, or folder of them, that models at int8 are quantised with.
    Raises: InputError for bad input, MeasurementError for a machine that is not quiet, both before
        anything is measured.
    """
    from exporters.calibration_data import DATA, RANDOM, with_data
    from nasprof import measuring, optimizing
    from profiler.bench.preflight import load_now, refuse_load
    from profiler.gpu import locked_clocks

    texts = optimizing.crossed(targets, optimize) if optimize else targets
    asked = _targets(texts, threads, precision, on_note)
    asked = [with_data(target, str(calibrate)) for target in asked]
    if str(calibrate) != RANDOM and not any(DATA in dict(target.options) for target in asked):
        raise InputError("calibrate belongs to int8, and no target is at int8")
    outcomes: list[Outcome] = []
    locked = nullcontext() if lock_gpu_clock is None else locked_clocks(lock_gpu_clock)
    with _open(store) as opened, locked:
        opened.check_writable()
        for batch in batches:
            sizes = measuring.Sizes(batch, dims or {}, input_shape, str(calibrate))
            plan = _plan(quick, seed, measuring.dims_of(sizes))
            plans = [replace(plan, streams=count) for count in streams]
            ready = []
            for number, model in enumerate(models):
                on_progress(number, len(models), f"preparing {model}")
                ready.append(measuring.prepare(model, sizes, seed, opened, on_note))
            if not outcomes:
                if require_quiet:
                    refuse_load(load_now(seconds=1.0))
                measuring.warn([t * max(streams) for t in threads], on_note)
            for each in plans:
                outcomes += measuring.measure_models(
                    ready, asked, sizes, each, opened, on_progress, lock_gpu_clock
                )
    return outcomes


def profile(
    model: Reference,
    target: str = "onnxruntime-cpu",
    *,
    threads: int = 1,
    batch: int | None = None,
    precision: str = "fp32",
    dims: Mapping[str, int] | None = None,
    input_shape: tuple[int, ...] | None = None,
    quick: bool = False,
    seed: int = 0,
    store: str | Path | None = None,
    on_progress: Progress = _silent,
    on_note: Note = _quiet,
) -> Profiled:
    """Measure a model, then say where its latency goes, operator by operator.

    Raises: InputError for bad input or a runtime without a profiler, MeasurementError on failure.
    """
    from nasprof import measuring, profiling
    from profiler.bench.devices import require
    from profiler.bench.profiling import check_profiles

    (asked,) = _targets([target], [threads], precision, on_note)
    if asked.at_load != asked:
        raise InputError("a profile tells of the model's own graph; leave optimize out of it")
    check_profiles(require(asked.runtime))
    sizes = measuring.Sizes(batch, dims or {}, input_shape)
    with _open(store) as opened:
        opened.check_writable()
        on_progress(0, 1, f"preparing {model}")
        ready = measuring.prepare(model, sizes, seed, opened, on_note)
        measuring.warn([threads], on_note)
        plan = _plan(quick, seed, measuring.dims_of(sizes))
        return profiling.profile_model(ready, asked, sizes, plan, opened, on_progress)


def card(
    model: Reference,
    targets: Sequence[str] = ("onnxruntime-cpu",),
    *,
    threads: Sequence[int] = (1,),
    batches: Sequence[int] = (1, 2, 4, 8),
    limit: str | None = None,
    dims: Mapping[str, int] | None = None,
    input_shape: tuple[int, ...] | None = None,
    quick: bool = False,
    seed: int = 0,
    store: str | Path | None = None,
    on_progress: Progress = _silent,
    on_note: Note = _quiet,
) -> Card:
    """Measure what a deployment card tells of one network; every measurement is stored.

    The first of `batches` is the one of latency, cold start and memory. `limit` such as `10ms` is
    the longest time that one inference of a batch may take; the card names the best batch within.
    Raises: InputError for bad input, before anything is measured.
    """
    from nasprof import carding
    from profiler.core.units import parse_quantity
    from reports.card_sections import card as laid_out

    limit_ns = None if limit is None else parse_quantity(limit, ("ms", "us", "µs", "s", "ns"))
    if not batches:
        raise InputError("name at least one batch size")
    question = carding.Question(
        model, tuple(_targets(targets, threads, "fp32", on_note)), tuple(dict.fromkeys(batches)),
        limit_ns, dims or {}, input_shape, quick, seed,
    )  # fmt: skip
    with _open(store) as opened:
        opened.check_writable()
        return laid_out(carding.fill(question, opened, on_progress, on_note))


def bench_suite(
    suite: str | Path,
    *,
    retry_failed: bool = False,
    store: str | Path | None = None,
    on_progress: Progress = _silent,
    on_note: Note = _quiet,
) -> list[Outcome]:
    """Measure what a suite file asks for and the store does not hold yet; return all its outcomes.

    Order: batch by batch, in it model by model, in it target by target.
    Raises: InputError for bad input, before anything is measured.
    """
    from nasprof import measuring, optimizing, suite_running
    from nasprof.suites import read_suite

    asked = read_suite(Path(suite))
    texts = suite_running.crossed(asked.targets, asked.precisions)
    texts = optimizing.crossed(texts, asked.optimize)
    targets = _targets(texts, asked.threads, "fp32", on_note)
    plans = {
        batch: _plan(asked.quick, asked.seed, measuring.dims_of(measuring.Sizes(batch, asked.dims)))
        for batch in asked.batches
    }
    with _open(store) as opened:
        opened.check_writable()
        return suite_running.run_suite(
            asked,
            targets,
            plans,
            opened,
            retry_failed=retry_failed,
            on_progress=on_progress,
            on_note=on_note,
        )


def compare(
    models: Sequence[Reference],
    targets: Sequence[str] = ("onnxruntime-cpu",),
    *,
    threads: Sequence[int] = (1,),
    batch: int | None = None,
    precision: str = "fp32",
    dims: Mapping[str, int] | None = None,
    input_shape: tuple[int, ...] | None = None,
    same_within: float = 0.02,
    quick: bool = False,
    seed: int = 0,
    store: str | Path | None = None,
    on_progress: Progress = _silent,
    on_note: Note = _quiet,
) -> tuple[Compared, ...]:
    """Say whether models or targets are faster or slower than the first, measured in turns.

    `same_within` is the relative difference that does not matter; `quick` stops after ten processes
    of each. A model named twice is compared with itself.
    Raises: InputError for bad input, before anything is measured.
    """
    from nasprof import comparing, measuring

    asked = _targets(targets, threads, precision, on_note)
    sizes = measuring.Sizes(batch, dims or {}, input_shape)
    with _open(store) as opened:
        opened.check_writable()
        ready = []
        for number, model in enumerate(models):
            on_progress(number, len(models), f"preparing {model}")
            ready.append(measuring.prepare(model, sizes, seed, opened, on_note))
        measuring.warn(threads, on_note)
        looks = 1 if quick else comparing.LOOKS
        race = comparing.Race(tuple(ready), tuple(asked), sizes, seed, same_within, looks)
        return comparing.compare(race, opened, on_progress)


def compare_stored(
    sessions: Sequence[str], *, same_within: float = 0.02, store: str | Path | None = None
) -> tuple[Compared, ...]:
    """Compare what bench runs of the store have measured with what the first has.

    `sessions` are names as `history` lists them.
    Raises: InputError when there is no such run or they have nothing in common.
    """
    from nasprof import comparing

    with _open(store, read_only=True) as opened:
        return comparing.compare_stored(opened, sessions, same_within)


def doctor(
    model: Reference = "reference:mobilenet_v2",
    target: str = "onnxruntime-cpu",
    *,
    threads: int = 1,
    batch: int | None = None,
    input_shape: tuple[int, ...] | None = None,
    seed: int = 0,
    store: str | Path | None = None,
    on_progress: Progress = _silent,
    on_note: Note = _quiet,
) -> Diagnosis:
    """Measure a model against itself: the smallest difference found here, and what disturbs.

    Raises: MeasurementError when it failed (the failure is stored), InputError for bad input.
    """
    from nasprof import diagnosing, measuring

    (asked,) = _targets([target], [threads], "fp32", on_note)
    sizes = measuring.Sizes(batch, {}, input_shape)
    with _open(store) as opened:
        opened.check_writable()
        on_progress(0, 1, f"preparing {model}")
        ready = measuring.prepare(model, sizes, seed, opened, on_note)
        return diagnosing.diagnose(ready, asked, sizes, seed, opened, on_progress)


def audit(
    model: Reference,
    target: str = "onnxruntime-cpu",
    *,
    threads: int = 1,
    batch: int | None = None,
    dims: Mapping[str, int] | None = None,
    input_shape: tuple[int, ...] | None = None,
    seed: int = 0,
) -> Audit:
    """Time a model with inputs that repeat and inputs that do not: does the runtime remember?

    Raises: MeasurementError when it gives no number, InputError for bad input.
    """
    from nasprof import measuring
    from profiler.bench.attempt import Work
    from profiler.bench.audit import audit as audited
    from profiler.bench.shapes import bind_inputs

    (asked,) = _targets([target], [threads], "fp32", _quiet)
    sizes = measuring.Sizes(batch, dims or {}, input_shape)
    opened, label, subject = measuring.open_reference(model, sizes, seed)
    inputs = bind_inputs(opened.inputs, sizes.dims, batch)
    work = measuring.converted(Work(opened, label, asked, inputs, None), subject, sizes, seed)
    if work.unconvertible:
        raise InputError(work.unconvertible.message)
    return audited(work.artifact or opened.path, asked, inputs, seed)


def search(
    space: str = "nasbench201",
    *,
    accuracy: str | None = None,
    limits: Limits = (),
    maximize: Sequence[str] = ("accuracy",),
    minimize: Sequence[str] = (),
    queries: int = 40,
    measurements: int | None = None,
    seconds: float | None = None,
    measure_all: bool = False,
    strategy: str = "rank-ei",
    threads: int = 1,
    seed: int = 0,
    name: str | None = None,
    resume: bool = False,
    genes: Sequence[str] = (),
    metric: str | None = None,
    recorded: str | Path | None = None,
    tables: str | Path | None = None,
    store: str | Path | None = None,
    on_progress: Progress = _silent,
    on_note: Note = _quiet,
) -> SearchResult:
    """Search a space for the most accurate networks inside measured limits.

    `limits` are texts such as `latency@onnxruntime-cpu/2t<=2ms`, `latency@recorded:pixel3<=20ms` or
    `macs<=300M`; `minimize` are costs such as `latency@onnxruntime-cpu` or `params`, of which the
    Pareto set with accuracy is searched. With `measure_all` no candidate is left to prediction.
    The budget is `queries` accuracies, `measurements` of candidates that the store does not hold
    yet (None: as many as it takes), and `seconds` of all trials together.
    `recorded` is a table to look recorded targets up in, instead of imported ones.
    `space` is a name, a `FILE.py`, or `table:FILE` with the columns `genes` and `metric`.
    Raises: InputError for bad input. Interrupted, it can be resumed with the same settings.
    """
    from nasprof.search import live

    request = live.SearchRequest(
        space=space,
        accuracy=accuracy,
        limits=tuple(limits),
        queries=queries,
        strategy=strategy,
        threads=threads,
        seed=seed,
        name=name,
        resume=resume,
        genes=tuple(genes),
        metric=metric,
        recorded=None if recorded is None else Path(recorded),
        tables=_folder(tables),
        maximize=tuple(maximize),
        minimize=tuple(minimize),
        measure_all=measure_all,
        measurements=measurements,
        seconds=seconds,
    )
    with _open(store) as opened:
        opened.check_writable()
        return live.run(request, opened, on_progress, on_note)


def prune(
    subject: Reference,
    method: str,
    output: str | Path | None = None,
    *,
    limits: Limits = (),
    data: str = "digits",
    epochs: int = 8,
    fine_tune: int | None = None,
    batch: int = 64,
    rate: float = 0.1,
    spread: str = "global",
    seed: int = 0,
    weights: str | Path | None = None,
    input_shape: tuple[int, ...] | None = None,
    force: bool = False,
    quick: bool = False,
    store: str | Path | None = None,
    on_progress: Progress = _silent,
) -> Pruned:
    """Train a network, prune it to limits such as `macs<=50%`, fine-tune it and export it.

    A limit such as `latency@onnxruntime-cpu<=0.6x` is kept as it is measured, in the `store`.

    `data` is `digits`, `npz:FILE` or `MODULE:LOADER`; with `weights` the network is taken as
    trained. `fine_tune` epochs are half as many as `epochs` where they are not given.
    Raises: InputError for bad input, UnavailableError without torch-pruning.
    """
    from nasprof import pruning

    request = pruning.PruneRequest(
        subject=subject,
        method=method,
        limits=tuple(limits),
        data=data,
        epochs=epochs,
        fine_tune=fine_tune,
        batch=batch,
        rate=rate,
        spread=spread,
        seed=seed,
        weights=None if weights is None else Path(weights),
        input_shape=input_shape,
        quick=quick,
    )
    where = None if output is None else Path(output)
    if all("latency" not in limit for limit in limits):
        return pruning.prune(request, where, force=force, on_progress=on_progress)
    with _open(store) as opened:
        opened.check_writable()
        return pruning.prune(request, where, force=force, store=opened, on_progress=on_progress)


def fit_latency(target: str = "onnxruntime-cpu", **settings: Any) -> CostPredictor:
    """Fit a latency predictor of a target and keep it; settings are those of `fit_predictor`.

    Raises: as `fit_predictor`.
    """
    return fit_predictor(target, **settings)[1]


def fit_predictor(
    target: str | None = None,
    *,
    threads: int = 1,
    precision: str = "fp32",
    metric: str = "latency",
    space: str | None = None,
    known: Sequence[str] = (),
    measurements: int = 10,
    table: str | Path | None = None,
    genes: Sequence[str] = (),
    column: str | None = None,
    unit: str | None = None,
    environment: str | None = None,
    output: str | Path | None = None,
    seed: int = 0,
    tables: str | Path | None = None,
    store: str | Path | None = None,
    on_progress: Progress = _silent,
    on_note: Note = _quiet,
) -> tuple[Path, CostPredictor]:
    """Fit a predictor of a metric, keep it in a file, and return both.

    From the store's measurements of a target; from a table's `column`, described by its columns
    `genes` or by a space; or, with `known` tables of other devices (`recorded` for the imported
    ones), from `measurements` candidates of a space that are chosen and measured here.
    Raises: InputError for too few measurements, with what to do.
    """
    from nasprof.predicting import file, fit, predictor
    from nasprof.spaces._open import open_space
    from profiler.bench.devices import require
    from profiler.core.choice import RECORDED
    from profiler.core.target import Target

    looked_up = target is not None and target.startswith(f"{RECORDED}:")
    measured = None if target is None or looked_up else target
    kind = require(measured).kind if known and measured is not None else "cpu"
    request = fit.FitRequest(
        target=None if measured is None else Target(measured, kind, precision, threads),
        recorded=target.removeprefix(f"{RECORDED}:") if target is not None and looked_up else None,
        metric=metric,
        space=space,
        environment=environment,
        table=None if table is None else Path(table),
        columns=tuple(genes),
        column=column,
        unit=unit,
        known=tuple(known),
        measurements=measurements,
        seed=seed,
        tables=_folder(tables),
    )
    if measured is None or table is not None:
        saved = fit.fit(request, None, on_progress, on_note)
    else:
        with _open(store, read_only=not known) as opened:
            if known:
                opened.check_writable()
            saved = fit.fit(request, opened, on_progress, on_note)
    name = output or "-".join([metric, *saved.target.replace(":", "-").split("/")])
    path = predictor_path(name)
    file.save(saved, path)
    return path, predictor.fitted(saved, None if space is None else open_space(space))


def predictor_path(name: str | Path) -> Path:
    """Where a predictor of a name is kept; what ends in `.json` is a path already."""
    from nasprof.predicting.file import default_folder

    return Path(name) if str(name).endswith(".json") else default_folder() / f"{name}.json"


def load_predictor(name: str | Path, *, space: str | None = None) -> CostPredictor:
    """Open a predictor by its name or file; `.predict(model)` gives a `Prediction`.

    `space` is the `FILE.py` of a space of one's own, where the predictor is of one.

    Raises: InputError when there is none, or the file is damaged.
    """
    from nasprof.predicting.predictor import open_predictor

    return open_predictor(predictor_path(name), space)


def evaluate_predictor(name: str | Path, *, space: str | None = None) -> Errors | None:
    """Find the held-out errors of a predictor again; None where too few can be left out.

    Raises: as `load_predictor`.
    """
    from nasprof.predicting.fit import evaluate

    return evaluate(load_predictor(name, space=space))


def propagate(
    space: str,
    networks: Sequence[str],
    tasks: Mapping[str, Sequence[float]],
    *,
    start: str,
    costs: Sequence[float] | None = None,
    limit: float | None = None,
    winner_takes_all: bool = False,
    steps: int = 70,
    seed: int = 0,
) -> Propagated:
    """Network Coding Propagation: let a network's code follow predictors of its metrics.

    `networks` and `start` are in the space's text form, `tasks` are metrics to raise by name,
    each with a value for every network; `costs` are kept at or below `limit`.
    Raises: InputError for bad input, such as fewer than 20 networks.
    Source: Ding et al., "Learning Versatile Neural Architectures by Propagating Network Codes",
    ICLR 2022.
    """
    from nasprof.search.propagating import propagate_rows
    from nasprof.spaces._open import open_space

    opened = open_space(space)
    return propagate_rows(
        opened,
        [opened.parse(text) for text in networks],
        tasks,
        start=opened.parse(start),
        costs=costs,
        limit=limit,
        winner_takes_all=winner_takes_all,
        steps=steps,
        seed=seed,
    )


def report(
    output: str | Path = "nasprof-report",
    *,
    search: str | None = None,
    store: str | Path | None = None,
) -> Report:
    """Write a self-contained HTML page, Markdown, CSV and JSON of what the store holds.

    Raises: InputError when there is no such search, StoreError when the store cannot be read.
    """
    from reports.write import write_report

    with _open(store, read_only=True) as opened:
        return write_report(opened, Path(output), search=search)


def devices() -> list[Device]:
    """Ask every runtime whether it can be used here, each in a worker of its own."""
    from profiler.bench.devices import devices as probe_all

    return probe_all()


def spaces(*, tables: str | Path | None = None) -> tuple[ListedSpace, ...]:
    """All search spaces with the published tables imported for them."""
    from nasprof import catalogue

    return catalogue.spaces(_folder(tables))


def show_candidate(reference: str) -> Shown:
    """Draw an architecture such as `nasbench201:857` and count its network.

    Raises: InputError when there is no such space or candidate.
    """
    from nasprof import catalogue

    return catalogue.show_candidate(reference)


def table_kinds() -> tuple[Kind, ...]:
    """The published formats that `import_table` reads."""
    from nasprof import catalogue

    return catalogue.kinds()


def import_table(
    kind: str,
    files: Sequence[str | Path],
    *,
    space: str | None = None,
    tables: str | Path | None = None,
) -> tuple[TableInfo, ...]:
    """Read published files that a person has, and keep them as typed Parquet with units.

    `space` names whose rows they are for kind `table`, a CSV or Parquet file of one's own.
    Raises: InputError for files that are of another kind, damaged or unsafe.
    """
    from nasprof import catalogue

    return catalogue.import_files(kind, [Path(file) for file in files], _folder(tables), space)


def tables(folder: str | Path | None = None) -> tuple[TableInfo, ...]:
    """All imported tables by name."""
    from nasprof import catalogue

    return catalogue.tables(_folder(folder))


def show_table(name: str, *, tables: str | Path | None = None) -> ShownTable:
    """An imported table: its columns, the recorded targets among them, its first rows.

    Raises: InputError when there is none of that name.
    """
    from nasprof import catalogue

    return catalogue.show_table(name, _folder(tables))


def environments() -> dict[str, Installed | None]:
    """Environments for runtimes that clash with others by name; None for one that is missing."""
    from profiler.core import plugins
    from profiler.environments._environment import ENVIRONMENTS, installed

    return {name: installed(name) for name in plugins.names(ENVIRONMENTS)}


def install_environment(name: str, *, on_progress: Progress = _silent) -> Installed:
    """Make an environment in the user's cache, with pinned versions; downloads with pip.

    Raises: InputError when there is no such environment, or with the installer's last words.
    """
    from profiler.environments._install import install

    return install(name, on_progress)


def remove_environment(name: str) -> bool:
    """Remove an environment; whether there was one.

    Raises: InputError when there is no environment of that name.
    """
    from profiler.environments._install import remove

    return remove(name)


def history(limit: int = 20, *, store: str | Path | None = None) -> list[HistoryEntry]:
    """The newest bench runs and searches of the store, newest first."""
    with _open(store, read_only=True) as opened:
        return opened.history(limit)


def _folder(tables: str | Path | None) -> Path | None:
    return None if tables is None else Path(tables)


def _targets(
    names: Sequence[str], threads: Sequence[int], precision: str, on_note: Note
) -> list[Target]:
    """The targets that can be used here; of the others one line each goes to `on_note`."""
    from exporters.optimize import level_of
    from nasprof import converting
    from profiler.bench.devices import require
    from profiler.core.target_text import parse_target

    usable: list[Target] = []
    missing = []
    for text in dict.fromkeys(names):
        parsed = parse_target(text)
        level_of(parsed.target())
        if parsed.batch is not None:
            raise InputError(f"target {text!r}: the batch is given by --batch here")
        found = replace(parsed, precision=parsed.precision or precision)
        try:
            device = require(parsed.runtime)
            converting.require_converter(device, found.precision or precision)
        except UnavailableError as error:
            missing.append(str(error))
            continue
        if found.precision not in device.precisions:
            why = device.refuses.get(found.precision or precision)
            raise InputError(
                f"{parsed.runtime} has no precision {found.precision!r}"
                + (f", as {why}" if why else "")
                + f"; it has: {', '.join(device.precisions)}"
            )
        counts = threads if parsed.threads is None else [parsed.threads]
        usable += [replace(found.target(count), device=device.kind) for count in counts]
    if not usable:
        raise UnavailableError("; ".join(missing) or "no target to measure on; name one with --on")
    for line in missing:
        on_note(line)
    return list(dict.fromkeys(usable))


def _plan(quick: bool, seed: int, dims: Mapping[str, int]) -> BenchPlan:
    from profiler.core.target import BenchPlan

    pairs = tuple(sorted(dims.items()))
    return BenchPlan.quick(seed=seed, dims=pairs) if quick else BenchPlan(seed=seed, dims=pairs)


def _open(store: str | Path | None, *, read_only: bool = False) -> Store:
    from profiler.store.store import default_url, open_store

    url = default_url() if store is None else str(store)
    return open_store(url, read_only=read_only)
