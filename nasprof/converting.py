"""A model in a runtime's own format: converted in a worker, verified, kept by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from exporters import artifact, formats
from exporters.artifact import Artifact
from exporters.calibration_data import USUAL, Calibration
from exporters.formats._format import FORMATS, ONNX, Format, Signature
from exporters.model_file import ModelFile
from exporters.options import LARGEST_MESSAGE_BYTES
from nasprof import exporting
from nasprof.subjects._subject import Subject
from profiler import parity
from profiler.bench.devices import Device
from profiler.bench.reference import reference_outputs
from profiler.core import plugins
from profiler.core.errors import ModelError, UnavailableError
from profiler.core.outcome import FailureKind, OutputError
from profiler.core.plain import from_plain, to_plain
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.environments._environment import install_command, installed, of_format
from profiler.worker.convert import convert
from profiler.worker.diverge import first_difference
from profiler.worker.feeds import make_feeds
from profiler.worker.run import read_arrays, run_target

_SEEDS = 3


@dataclass(frozen=True, slots=True)
class Original:
    """What is converted: a model at fixed sizes, and the network that it was exported from.

    `subject` is None for a model that was an ONNX file from the start. `judge` is the model whose
    outputs count, where that is another one.
    """

    model: ModelFile
    label: str
    inputs: tuple[TensorSpec, ...]
    subject: Subject | None = None
    batch: int = 1
    seed: int = 0
    judge: ModelFile | None = None

    @property
    def judged_by(self) -> ModelFile:
        """The model that outputs are held against."""
        return self.judge or self.model

    @property
    def largest_batch(self) -> int:
        """The largest first dimension of an input."""
        firsts = [spec.shape[0] for spec in self.inputs if spec.shape]
        return max((size for size in firsts if isinstance(size, int)), default=1)


@dataclass(frozen=True, slots=True)
class Converted:
    """An artifact that was verified; `parity` has one error a seed, none without a reference.

    `diverges` names the node where a doubtful one begins to differ, if its runtime can show it.

    Unit: seconds for converting and verifying.
    """

    artifact: Artifact
    parity: tuple[OutputError, ...]
    versions: tuple[tuple[str, str], ...]
    diverges: str = ""


def artifact_folder() -> Path:
    """Where artifacts are kept between runs."""
    return exporting.default_cache().with_name("artifacts")


def reference_folder() -> Path:
    """Where reference outputs are kept between runs."""
    return exporting.default_cache().with_name("references")


def to_format(
    original: Original, name: str, precision: str = "fp32", calibration: Calibration = USUAL
) -> Converted:
    """Return the model in a format, converted when the cache does not hold it.

    `calibration` is used by precisions that are quantised.
    Raises: InputError for an unknown format, UnavailableError without its converter, ModelError
    with kind and reason when it cannot be converted or its outputs are not the model's.
    """
    converter: Format = plugins.load(FORMATS, name)
    source = _source(original, name, converter, precision)
    versions = _versions(name, converter, precision)
    signature = Signature(original.inputs, original.model.outputs)
    identity = [
        name, precision, original.model.sha256, versions, to_plain(signature),
        original.judged_by.sha256, original.seed, code_identity(),
        calibration.identity() if precision == "int8" else [],
    ]  # fmt: skip
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()

    def make(path: Path) -> dict[str, Any]:
        convert(name, source, path, signature, precision, calibration)
        target = Target(converter.runtime, precision=precision)
        errors = verify(path, original, target)
        doubtful = parity.doubts(parity.worst(errors), precision)
        where = _where(path, original, target, original.seed) if doubtful else ""
        return {"parity": to_plain(errors), "diverges": where}

    made = artifact.keep(artifact_folder(), key, converter.file, make)
    errors = from_plain(tuple[OutputError, ...], made.facts["parity"])
    return Converted(made, errors, tuple(versions.items()), made.facts["diverges"])


def _source(original: Original, name: str, converter: Format, precision: str) -> Path:
    """The file that is converted.

    Raises: ModelError when this model has none for this format.
    """
    if precision not in converter.precisions:
        why = dict(converter.refuses).get(precision)
        raise ModelError(
            FailureKind.WRONG_PRECISION,
            f"{name} has no precision {precision!r}"
            + (f", as {why}" if why else "")
            + f"; it has: {', '.join(converter.precisions)}",
        )
    largest = converter.largest_batch
    if largest is not None and original.largest_batch > largest:
        raise ModelError(FailureKind.UNSUPPORTED, f"{name} has no batches larger than {largest}")
    return onnx_source(original, name) if converter.source == ONNX else program_of(original, name)


def onnx_source(original: Original, wanted_by: str) -> Path:
    """The ONNX file, for what reads it whole.

    Raises: ModelError for one that does not fit a protobuf message.
    """
    size = original.model.size_bytes
    size += sum(file.size_bytes or 0 for file in original.model.external)
    if size > LARGEST_MESSAGE_BYTES:
        raise ModelError(
            FailureKind.UNSUPPORTED, f"{wanted_by} takes models below 2 GiB, not {size} bytes"
        )
    return original.model.path


def program_of(original: Original, wanted_by: str) -> Path:
    """The network as a program of torch.export, for what runs or converts torch itself.

    Raises: ModelError for an ONNX file, InputError when torch.export cannot take the network.
    """
    if original.judge is not None:
        raise ModelError(
            FailureKind.UNSUPPORTED,
            f"{wanted_by} takes the torch network, whose ONNX graph was to be optimised",
        )
    if original.subject is None:
        raise ModelError(
            FailureKind.UNSUPPORTED,
            f"{original.label} is an ONNX file, and {wanted_by} takes torch networks only",
        )
    sha256, batch, seed = original.model.sha256, original.batch, original.seed
    return exporting.program(original.subject, sha256, batch=batch, seed=seed).path


def verify(path: Path, original: Original, target: Target) -> tuple[OutputError, ...]:
    """Compare the artifact's outputs with the model's on several seeds, in a worker.

    Raises: ModelError `bad_output` when one is not the model's at a smaller precision.
    """
    seeds = range(original.seed, original.seed + _SEEDS)
    folder, model = reference_folder(), original.judged_by
    files = [reference_outputs(model, original.inputs, seed, folder, 120.0) for seed in seeds]
    known = [(seed, file) for seed, file in zip(seeds, files, strict=True) if file is not None]
    feeds = [make_feeds(original.inputs, seed) for seed, _ in known]
    outputs = run_target(path, target, feeds)
    errors = tuple(
        parity.compare(read_arrays(file), got)
        for (_, file), got in zip(known, outputs, strict=True)
    )
    for (seed, _), error in zip(known, errors, strict=True):
        if parity.refused(error, target.precision):
            where = _where(path, original, target, seed)
            raise ModelError(
                FailureKind.BAD_OUTPUT,
                f"converted for {target.runtime} at {target.precision}, its outputs differ by "
                f"{told(error)} (seed {seed})" + (f"; {where}" if where else ""),
            )
    return errors


def _where(path: Path, original: Original, target: Target, seed: int) -> str:
    return first_difference(original.judged_by.path, path, target, original.inputs, seed)


def told(error: OutputError) -> str:
    """How far outputs are from the model's, with what says whether they still mean the same."""
    parts = [f"{error.relative:.2g} of their scale"]
    parts += [] if error.cosine is None else [f"cosine {error.cosine:.4f}"]
    parts += [] if error.top1 is None else [f"top-1 agreement {error.top1:.0%}"]
    return ", ".join(parts)


def require_converter(device: Device, precision: str) -> None:
    """Find out before any work whether a model can be converted for a runtime at a precision.

    Raises: UnavailableError naming what is missing and the remedy.
    """
    name = device.converts.get(precision, device.format)
    if name in plugins.names(FORMATS) and (name != ONNX or precision in device.converts):
        _versions(name, plugins.load(FORMATS, name), precision)


def _versions(name: str, converter: Format, precision: str) -> dict[str, str]:
    """Versions of what converts, and of what this precision needs besides.

    Raises: UnavailableError naming what is missing and the remedy.
    """
    environment = of_format(name)
    if environment is not None:
        there = installed(environment)
        if there is None:
            raise UnavailableError(
                f"{name} needs its converter, which is not installed; "
                f"{install_command(environment)}"
            )
        return {package: there.versions[package] for package in converter.packages}
    own = converter.packages
    found = dict(installed_version((package,), name, converter.remedy) for package in own)
    for also in converter.also:
        if also.precision == precision:
            found.update([installed_version(also.packages, f"{name} at {precision}", also.remedy)])
    return found


def installed_version(packages: Sequence[str], wanted_by: str, remedy: str) -> tuple[str, str]:
    """The first of several packages that is there, with its version."""
    for package in packages:
        try:
            return package, version(package)
        except PackageNotFoundError:
            continue
    raise UnavailableError(f"{wanted_by} needs {packages[-1]}, which is not installed; {remedy}")


@cache
def code_identity() -> str:
    """Hash of the converting code: what another version of it wrote is not found."""
    digest = hashlib.sha256()
    for file in sorted(Path(formats.__path__[0]).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
