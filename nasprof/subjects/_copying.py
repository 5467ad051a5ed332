"""A normalised copy of a subject that is an ONNX file, with the same outputs as the original."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from exporters import metadata
from exporters.destination import publish, staging
from exporters.model_file import ModelFile, open_model
from exporters.options import KEEP_OPSET, ExportOptions, ExportRecord, judge
from nasprof.subjects._subject import Subject
from profiler.bench.shapes import bind_inputs
from profiler.core.errors import InputError, MeasurementError, ModelError
from profiler.core.tensor import TensorSpec
from profiler.parity import compare
from profiler.worker.classify import result_of
from profiler.worker.feeds import make_feeds
from profiler.worker.launch import Job, launch
from profiler.worker.run import run_model

_SEEDS = 3
_STEP = "checked, weights made constants, shapes stored; operators and opset as they were"


def copy_model(
    subject: Subject, source: ModelFile, destination: Path, options: ExportOptions, version: str
) -> ExportRecord:
    """Write the copy; the original and the copy are loaded in workers only.

    Raises: ModelError when the file is not valid, InputError when it does not run or its copy gives
    other outputs.
    """
    inputs = _sizes(subject, options.batch)
    with staging(destination.parent) as folder:
        file = folder / destination.name
        _normalise(source.path, file)
        cases = [(options.seed + n, _batch(inputs)) for n in range(_SEEDS)]
        feeds = [make_feeds(inputs, seed) for seed, _ in cases]
        try:
            expected = run_model(source.path, feeds, optimization="none")
            outputs = run_model(file, feeds, optimization="none")
        except MeasurementError as error:
            raise InputError(f"{subject.text} cannot be compared with its copy: {error}") from error
        errors = [compare(a, b) for a, b in zip(expected, outputs, strict=True)]
        parity, fault = judge(cases, errors, options.tolerance)
        if fault is not None:
            raise InputError(f"the copy of {subject.text} is not right: {fault}")
        opened = open_model(file)
        record = ExportRecord(
            exporter="copy",
            opset=dict(opened.opsets).get("", 1),
            inputs=opened.inputs,
            outputs=tuple(spec.name for spec in opened.outputs),
            params=metadata.module_params(opened.metadata),
            parity=parity,
            steps=(_STEP,),
        )
        metadata.append(file, _facts(subject, opened, record, version))
        for part in sorted(folder.iterdir(), key=lambda part: part == file):
            publish(part, destination.with_name(part.name))
    return record


def refuse_options(subject: Subject, source: ModelFile, options: ExportOptions) -> None:
    """Refuse what would change the network: a copy keeps its batch, opset and weights.

    Raises: InputError naming the option.
    """
    opset = dict(source.opsets).get("", 1)
    fixed = [spec.name for spec in source.inputs if spec.shape and isinstance(spec.shape[0], int)]
    if options.dynamic_batch and fixed:
        raise InputError(f"{subject.text} has a fixed batch; a copy of it cannot have another")
    if options.exporter != "auto":
        raise InputError(f"{subject.text} is ONNX already; there is nothing for an exporter to do")
    if options.opset not in (KEEP_OPSET, opset):
        raise InputError(f"{subject.text} has opset {opset}; a copy keeps it")
    _sizes(subject, options.batch)


def _normalise(source: Path, destination: Path) -> None:
    arguments = {"source": str(source.resolve()), "destination": str(destination.resolve())}
    _, problem = result_of(launch(Job("normalise", arguments)))
    if problem is not None:
        raise ModelError(problem.kind, f"{source}: {problem.message}")


def _sizes(subject: Subject, batch: int) -> tuple[TensorSpec, ...]:
    for spec in subject.inputs:
        unknown = [d for d in (spec.shape or ())[1:] if not isinstance(d, int)]
        if unknown:
            raise InputError(
                f"input {spec.name!r} of {subject.text} has an axis {unknown[0]!r} without a size; "
                "give --input-shape"
            )
    return bind_inputs(subject.inputs, {}, None if batch == 1 else batch)


def _batch(inputs: tuple[TensorSpec, ...]) -> int:
    first = inputs[0].shape if inputs else None
    return first[0] if first and isinstance(first[0], int) else 1


def _facts(subject: Subject, copy: ModelFile, record: ExportRecord, version: str) -> dict[str, str]:
    present = dict(copy.metadata)
    facts = {
        metadata.SUBJECT: subject.text,
        metadata.VERSION: version,
        metadata.EXPORTER: record.exporter,
        metadata.STEPS: json.dumps(record.steps),
        metadata.OPSET: str(record.opset),
        metadata.INPUTS: json.dumps([asdict(spec) for spec in record.inputs]),
        metadata.PARITY: json.dumps([asdict(check) for check in record.parity]),
    }
    return {key: value for key, value in facts.items() if key not in present}
