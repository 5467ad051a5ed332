"""From model references to stored outcomes: export what is no file yet, count, measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from exporters.calibration_data import RANDOM, calibration_of
from exporters.formats._format import TORCH_PROGRAM
from exporters.model_file import ModelFile, open_model
from exporters.optimize import NONE, level_of
from nasprof import exporting
from nasprof.converting import Original, program_of, reference_folder, to_format
from nasprof.optimizing import optimised
from nasprof.subjects._subject import Subject
from profiler.bench.attempt import Work
from profiler.bench.devices import format_of, is_converted
from profiler.bench.environment import capture
from profiler.bench.examine import examine
from profiler.bench.measure import Progress, measure
from profiler.bench.preflight import load_now, preflight
from profiler.bench.reference import reference_outputs
from profiler.bench.shapes import bind_inputs, symbols
from profiler.core.cost import GraphCost
from profiler.core.errors import InputError, ModelError
from profiler.core.outcome import FailureKind, Outcome
from profiler.core.target import BenchPlan, Target
from profiler.store.records import ModelRecord
from profiler.store.store import Store
from profiler.worker.classify import Problem
from profiler.worker.launch import Launch, launch

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes that a person gives: the batch, other symbolic axes, the input shape of a subject.

    `calibrate` is where data of these sizes lies for models that are quantised.
    """

    batch: int | None = None
    dims: Mapping[str, int] = field(default_factory=dict)
    input_shape: tuple[int, ...] | None = None
    calibrate: str = RANDOM


@dataclass(frozen=True, slots=True)
class Ready:
    """A model that can be measured: opened, and stored with its static cost where it has one.

    `subject` is None for a model that was an ONNX file from the start.
    """

    model: ModelFile
    label: str
    cost: GraphCost | None
    subject: Subject | None = None


def open_reference(
    reference: exporting.Reference, sizes: Sizes, seed: int = 0
) -> tuple[ModelFile, str, Subject | None]:
    """Open an ONNX file as it is, or export any other subject through the cache.

    Raises: InputError or ModelError naming what is wrong with the reference.
    """
    if isinstance(reference, str | Path) and str(reference).endswith(".onnx"):
        return open_model(Path(reference)), Path(reference).name, None
    subject = exporting.resolve(reference, sizes.input_shape)
    done = exporting.export(subject, None, batch=sizes.batch or 1, seed=seed)
    return open_model(done.path), subject.text, None if subject.path is not None else subject


def count(model: ModelFile, sizes: Sizes, start: Launch = launch) -> GraphCost:
    """Static cost of a model at the sizes.

    Raises: ModelError when it cannot be counted, InputError for an axis without a size.
    """
    dims = {**symbols(model.inputs, sizes.batch), **sizes.dims}
    return examine(model.path, dims, start=start)


def prepare(
    reference: exporting.Reference,
    sizes: Sizes,
    seed: int,
    store: Store,
    on_note: Note,
    start: Launch = launch,
) -> Ready:
    """Open or export a model and store it with its cost.

    Raises: as `open_reference`.
    """
    model, label, subject = open_reference(reference, sizes, seed)
    plan_dims = tuple(sorted(dims_of(sizes).items()))
    cost = store.cost(model.sha256, plan_dims)
    if cost is None:
        try:
            cost = count(model, sizes, start)
        except ModelError as error:
            on_note(f"static cost of {label} is unknown: {error}")
    store.put_model(_record(model, label), cost, plan_dims)
    return Ready(model, label, cost, subject)


def works_for(
    models: Sequence[Ready],
    targets: Sequence[Target],
    sizes: Sizes,
    plan: BenchPlan,
    start: Launch = launch,
) -> list[Work]:
    """What is to be measured, with reference outputs and converted where a runtime needs it.

    Raises: InputError for an axis without a size.
    """
    works = []
    for ready in models:
        inputs = bind_inputs(ready.model.inputs, sizes.dims, sizes.batch)
        reference = reference_outputs(
            ready.model, inputs, plan.seed, reference_folder(), plan.deadline_s, start
        )
        for target in targets:
            work = Work(ready.model, ready.label, target, inputs, reference)
            works.append(converted(work, ready.subject, sizes, plan.seed))
    return works


def measure_models(
    models: Sequence[Ready],
    targets: Sequence[Target],
    sizes: Sizes,
    plan: BenchPlan,
    store: Store,
    on_progress: Progress,
    locked_mhz: int | None = None,
) -> list[Outcome]:
    """Measure every model on every target; each outcome is stored.

    `locked_mhz` is the clock that the caller holds the GPU at: part of the environment.

    Raises: InputError for an axis without a size.
    """
    environment = capture()
    if environment.gpu is not None:
        gpu = replace(environment.gpu, locked_mhz=locked_mhz)
        environment = replace(environment, gpu=gpu)
    store.put_environment(environment)
    works = works_for(models, targets, sizes, plan)
    return measure(works, plan, store, environment.key, on_progress=on_progress)


def converted(work: Work, subject: Subject | None, sizes: Sizes, seed: int) -> Work:
    """Give the work the file that its runtime loads; where there is none, the reason."""
    target, level = work.target, level_of(work.target)
    batch = sizes.batch or 1
    original = Original(work.model, work.label, work.inputs, subject, batch, seed)
    try:
        name = format_of(target.runtime, target.precision)
        is_direct = not is_converted(target.runtime, target.precision)
        if is_direct and level == NONE:
            return work
        if level != NONE:
            original = optimised(original, level).original
        if is_direct:
            return replace(work, artifact=original.model.path)
        if name == TORCH_PROGRAM:
            return replace(work, artifact=program_of(original, target.runtime))
        made = to_format(original, name, target.precision, calibration_of(target, sizes.calibrate))
        return replace(work, artifact=made.artifact.path)
    except ModelError as error:
        return replace(work, unconvertible=Problem(FailureKind(error.kind), str(error)))
    except InputError as error:
        return replace(work, unconvertible=Problem(FailureKind.UNSUPPORTED, str(error)))


def warn(threads: Sequence[int], on_note: Note) -> None:
    """Say before measuring what on this machine will make the numbers less sure."""
    for line in preflight(capture(), max(threads, default=1), load_now()):
        on_note(line)


def dims_of(sizes: Sizes) -> dict[str, int]:
    """The sizes as a plan keeps them: what was given, and nothing for what the model fixes."""
    given = {} if sizes.batch is None else {"batch": sizes.batch}
    return {**given, **sizes.dims}


def _record(model: ModelFile, label: str) -> ModelRecord:
    metadata = dict(model.metadata)
    return ModelRecord(
        sha256=model.sha256,
        label=label,
        subject=metadata.get("nasprof.subject"),
        size_bytes=model.size_bytes,
        opsets=model.opsets,
        inputs=model.inputs,
        outputs=model.outputs,
        metadata=model.metadata,
    )
