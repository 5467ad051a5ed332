"""A torch module as an ONNX file, compared with torch before the file gets its name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import onnx
import torch
from torch import nn

from exporters import metadata
from exporters.destination import check_destination, publish, staging
from exporters.graph import finish
from exporters.options import ExportOptions, ExportRecord, ParityCheck, Verify, judge
from exporters.preparing import Job, answers_twice_alike, prepare, rounding_noise
from exporters.quiet import quiet
from exporters.routes import ROUTES, is_large, reason
from exporters.seeding import seeded
from profiler.core.errors import InputError, NasprofError
from profiler.core.outcome import OutputError
from profiler.core.tensor import TensorSpec

# Two float32 computations of a network that amplifies rounding differ by a few times what one of
# them differs from float64; a wrong graph is far from both.
_NOISE_MARGIN = 4.0
_LARGEST_TOLERANCE = 1e-2


class _RouteError(Exception):
    """One exporter gave no usable file; the text is the reason."""


def export_module(
    module: nn.Module,
    inputs: Sequence[TensorSpec],
    destination: Path,
    options: ExportOptions,
    verify: Verify,
) -> ExportRecord:
    """Export a copy of a module; the file appears under its name only once it was verified.

    Shapes: the first dimension of every input is the batch; its size in `inputs` is not used.
    Raises: InputError when the module cannot be exported, with the reason of every exporter, or
    when the destination must not be written.
    """
    check_options(options)
    check_destination(destination, options.force)
    with quiet(), seeded(options.seed), torch.no_grad():
        job = prepare(module, inputs, options)
        with staging(destination.parent) as folder:
            file = folder / destination.name
            exporter, parity, steps = _climb(job, options, file, verify)
            # The weights of a large model first: a model under its name is always whole.
            for part in sorted(folder.iterdir(), key=lambda part: part == file):
                publish(part, destination.with_name(part.name))
    return ExportRecord(
        exporter=exporter,
        opset=options.opset,
        inputs=job.specs,
        outputs=job.request.output_names,
        params=job.params,
        parity=parity,
        steps=steps,
    )


def check_options(options: ExportOptions) -> None:
    """Refuse what no exporter can do.

    Raises: InputError for a batch below 1, an unknown exporter, or an opset that none writes.
    """
    if options.batch < 1:
        raise InputError(f"batch {options.batch} is not possible; it must be 1 or more")
    if options.exporter != "auto" and options.exporter not in ROUTES:
        names = ", ".join(("auto", *ROUTES))
        raise InputError(f"unknown exporter {options.exporter!r}; there are: {names}")
    ranges = {name: ROUTES[name].opsets for name in _ladder(options)}
    if not any(options.opset in opsets for opsets in ranges.values()):
        able = ", ".join(f"{name} writes {o[0]} to {o[-1]}" for name, o in ranges.items())
        raise InputError(f"opset {options.opset} cannot be written; {able}")


def _ladder(options: ExportOptions) -> tuple[str, ...]:
    return tuple(ROUTES) if options.exporter == "auto" else (options.exporter,)


def _climb(
    job: Job, options: ExportOptions, file: Path, verify: Verify
) -> tuple[str, tuple[ParityCheck, ...], tuple[str, ...]]:
    """Try the exporters, cheapest first, until one file is right.

    Raises: InputError with every reason when none is.
    """
    steps: list[str] = list(job.notes)
    failed = []
    for name in _ladder(options):
        try:
            parity, notes = _attempt(name, job, options, file, verify)
        except _RouteError as failure:
            failed.append(f"{name}: {failure}")
            steps.append(failed[-1])
            for part in file.parent.iterdir():
                part.unlink()
            continue
        steps += [*notes, f"{name}: exported and verified"]
        metadata.append(file, _metadata(job, options, name, parity, steps))
        return name, parity, tuple(steps)
    raise InputError(f"the module cannot be exported; {'; '.join(failed)}")


def _attempt(
    name: str, job: Job, options: ExportOptions, file: Path, verify: Verify
) -> tuple[tuple[ParityCheck, ...], tuple[str, ...]]:
    """Write, finish and verify a file with one exporter.

    Raises: _RouteError with the reason.
    """
    opsets = ROUTES[name].opsets
    if options.opset not in opsets:
        raise _RouteError(f"writes opsets {opsets[0]} to {opsets[-1]} only")
    if name == "torchscript" and job.reads:
        raise _RouteError(f"Python code depends on the values of an input ({job.reads[0]})")
    try:
        ROUTES[name].write(job.request, file)
        finish(file, options.opset, is_large(job.request.network))
        errors = verify(file, job.feeds, job.expected)
    except NasprofError as error:
        raise _RouteError(str(error)) from error
    except Exception as error:  # exporters share no type of error, and each is a reason
        raise _RouteError(reason(error)) from error
    return _judge(job, options, errors)


def _judge(
    job: Job, options: ExportOptions, errors: Sequence[OutputError]
) -> tuple[tuple[ParityCheck, ...], tuple[str, ...]]:
    """Accept the errors, or explain them, or refuse the file.

    Raises: _RouteError with the figures.
    """
    checks, fault = judge(job.cases, errors, options.tolerance)
    if fault is None:
        return checks, ()
    if not answers_twice_alike(job):
        raise _RouteError("the module gives other outputs each time for the same input")
    noise = rounding_noise(job)
    allowed = min(_NOISE_MARGIN * noise, _LARGEST_TOLERANCE)
    if judge(job.cases, errors, allowed)[1] is not None:
        raise _RouteError(fault)
    return checks, (
        f"rounding to float32 alone moves the outputs by {noise:.1g} of their scale, so "
        f"{allowed:.1g} is allowed",
    )


def _metadata(
    job: Job,
    options: ExportOptions,
    exporter: str,
    parity: Sequence[ParityCheck],
    steps: Sequence[str],
) -> dict[str, str]:
    return {
        **dict(options.labels),
        **library_versions(),
        metadata.EXPORTER: exporter,
        metadata.STEPS: json.dumps(steps),
        metadata.OPSET: str(options.opset),
        metadata.SEED: str(options.seed),
        metadata.BATCH: "dynamic" if options.dynamic_batch else str(options.batch),
        metadata.INPUTS: json.dumps([asdict(spec) for spec in job.specs]),
        metadata.PARAMS: str(job.params),
        metadata.PARITY: json.dumps([asdict(check) for check in parity]),
    }


@cache
def library_versions() -> dict[str, str]:
    """The versions that decide what an export looks like, by metadata key."""
    try:
        own = version("nasprof")
    except PackageNotFoundError:  # run from a checkout that was never installed
        own = "unknown"
    return {
        metadata.VERSION: own,
        metadata.TORCH: torch.__version__,
        metadata.ONNX: onnx.__version__,
    }
