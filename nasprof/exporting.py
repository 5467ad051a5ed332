"""From a reference or a torch module to a verified ONNX file, kept in a cache by content."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from exporters import cache, metadata
from exporters.destination import check_destination, publish, staging
from exporters.options import (
    DEFAULT_OPSET,
    KEEP_OPSET,
    LARGEST_MESSAGE_BYTES,
    ExportOptions,
    ExportRecord,
    ParityCheck,
)
from exporters.samples import Array
from nasprof.subjects._subject import InputShape, Source, Subject, shown, specs
from profiler.core.errors import InputError
from profiler.core.outcome import OutputError
from profiler.core.plain import from_plain, to_plain
from profiler.core.plugins import load, names
from profiler.parity import EXPORT_TOLERANCE, TOLERANCES, compare
from profiler.worker.run import run_model

if TYPE_CHECKING:
    from torch import nn

    from exporters.artifact import Artifact

Reference: TypeAlias = "str | Path | Subject | nn.Module"
"""What `resolve` understands."""

_SUBJECTS = "nasprof.subjects"


@dataclass(frozen=True, slots=True)
class Exported:
    """A verified ONNX file.

    Unit: seconds. `batch` is None for any batch; `params` counts the torch module's parameters,
    None for a subject that was an ONNX file. `parity` are comparisons with the subject's outputs.
    """

    path: Path
    sha256: str
    subject: str
    exporter: str
    opset: int
    batch: int | None
    params: int | None
    parity: tuple[ParityCheck, ...]
    steps: tuple[str, ...]
    seconds: float
    cached: bool

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON."""
        return {**asdict(self), "path": str(self.path)}

    def lines(self) -> list[str]:
        """What a person wants to know, line by line."""
        worst = max((check.relative for check in self.parity), default=0.0)
        seeds = len({check.seed for check in self.parity})
        params = "" if self.params is None else f", {self.params:,} parameters"
        batch = "any batch" if self.batch is None else f"batch {self.batch}"
        how = "taken from the cache" if self.cached else "exported and verified"
        return [
            f"{self.path}: {self.subject}, opset {self.opset}, {batch}{params}",
            f"outputs agree on {seeds} seeds, largest error {worst:.1e} of their scale",
            *(f"- {step}" for step in self.steps),
            f"{how} in {self.seconds:.1f} s, sha256 {self.sha256[:16]}",
        ]


@dataclass(frozen=True, slots=True)
class _Work:
    """An export that can be done: how to write it, and the key that stands for its result.

    Without a key it is not known whether two results are the same, and nothing is taken from the
    cache. A `large` file has its weights beside it under its own name and is written in place.
    """

    key: str | None
    large: bool
    write: Callable[[Path], ExportRecord]


def resolve(reference: Reference, input_shape: InputShape | None = None) -> Subject:
    """Find what a reference means: a text, a path, a torch module, or a subject itself.

    Shapes: `input_shape` is one input, or a list of them, without the batch dimension.
    Raises: InputError when there is no such subject, UnavailableError without its library.
    """
    inputs = specs(input_shape)
    if isinstance(reference, Subject):
        return replace(reference, inputs=inputs) if inputs else reference
    if not isinstance(reference, str | Path):
        return subject_of_module(reference, input_shape)
    text = str(reference)
    sources: list[Source] = [load(_SUBJECTS, name) for name in names(_SUBJECTS)]
    for source in sources:
        if source.claims(text):
            return source.resolve(text, inputs)
    examples = ", ".join(source.example for source in sources)
    raise InputError(
        f"unknown subject {shown(text)}; give one like {examples}; the spaces are "
        f"{', '.join(names('nasprof.spaces'))}"
    )


def subject_of_module(module: nn.Module, input_shape: InputShape | None = None) -> Subject:
    """Refer to a torch module as it is now; it stays untouched.

    Raises: InputError when it is no module, or nothing says what it takes.
    """
    from torch import nn

    from nasprof.subjects._module import subject_of_module as refer

    if not isinstance(module, nn.Module):
        raise InputError(
            f"{type(module).__name__} is no subject; give a reference, a path or a torch.nn.Module"
        )
    return refer(module, input_shape)


def export(
    reference: Reference,
    output: Path | None = None,
    *,
    batch: int = 1,
    dynamic_batch: bool = False,
    opset: int | None = None,
    seed: int = 0,
    weights: Path | None = None,
    input_shape: InputShape | None = None,
    exporter: str = "auto",
    force: bool = False,
    cache_dir: Path | None = None,
) -> Exported:
    """Export a subject to ONNX and verify the file against it; without `output` it stays cached.

    Raises: InputError when the subject cannot be exported or the output must not be written.
    """
    started = time.perf_counter()
    if output is not None:
        check_destination(output, force)
    subject = resolve(reference, input_shape)
    options = ExportOptions(
        batch=batch,
        dynamic_batch=dynamic_batch,
        opset=opset if opset is not None else _usual_opset(subject),
        seed=seed,
        exporter=exporter,
        tolerance=EXPORT_TOLERANCE,
        calibrate=not subject.trained and weights is None,
        force=force,
    )
    prepare = _network_work if subject.path is None else _model_work
    work = prepare(subject, options, weights)
    path, sha256, record, cached = _carry_out(work, output, cache_dir or default_cache())
    return Exported(
        path=path,
        sha256=sha256,
        subject=subject.text,
        exporter=record.exporter,
        opset=record.opset,
        batch=record.batch,
        params=record.params,
        parity=record.parity,
        steps=record.steps,
        seconds=time.perf_counter() - started,
        cached=cached,
    )


def program(
    subject: Subject,
    model_sha256: str,
    *,
    batch: int = 1,
    seed: int = 0,
    folder: Path | None = None,
) -> Artifact:
    """Write a network as a program of torch.export, kept beside the ONNX file that it belongs to.

    Raises: InputError for a subject that is an ONNX file, or that torch.export cannot take.
    """
    from exporters import artifact

    options = ExportOptions(batch=batch, seed=seed, calibrate=not subject.trained)

    def write(path: Path) -> None:
        from exporters.torch_program import write_program

        write_program(_build(subject, seed), subject.inputs, path, options)

    if subject.path is not None:
        raise InputError(f"{subject.text} is an ONNX file, and torch runs networks only")
    key = _key(("program", model_sha256, version("torch")), options)
    folder = folder or default_cache().with_name("programs")
    return artifact.keep(folder, key, "program.pt2", write)


def _usual_opset(subject: Subject) -> int:
    return DEFAULT_OPSET if subject.path is None else KEEP_OPSET


def default_cache() -> Path:
    """The folder that exports are kept in."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("nasprof", appauthor=False)) / "exports"


def _network_work(subject: Subject, options: ExportOptions, weights: Path | None) -> _Work:
    """Build the network; its weights and code decide the key.

    Raises: InputError when it cannot be built, or the options or weights do not fit.
    """
    from exporters.routes import is_large
    from exporters.torch_onnx import check_options, export_module, library_versions
    from exporters.weights import load_weights
    from nasprof.subjects._fingerprint import fingerprint

    check_options(options)
    network = _build(subject, options.seed)
    labels = {metadata.SUBJECT: subject.text}
    if weights is not None:
        load_weights(network, weights)
        labels[metadata.WEIGHTS] = hashlib.sha256(weights.read_bytes()).hexdigest()
    options = replace(
        options, labels=tuple(labels.items()), tolerance=_tolerance(network), force=False
    )
    content = fingerprint(network)
    identity = (subject.source, content, str(network), subject.inputs, library_versions())

    def write(path: Path) -> ExportRecord:
        try:
            return export_module(network, subject.inputs, path, options, _verify)
        except InputError as error:
            raise InputError(f"{subject.text}: {error}") from error

    return _Work(
        key=None if content is None else _key(identity, options),
        large=is_large(network),
        write=write,
    )


def _build(subject: Subject, seed: int) -> nn.Module:
    from exporters.quiet import quiet
    from exporters.seeding import seeded

    with quiet(), seeded(seed):
        return subject.build(seed)


def _model_work(subject: Subject, options: ExportOptions, weights: Path | None) -> _Work:
    """Prepare the normalised copy of an ONNX file.

    Raises: InputError for options that would change the model.
    """
    from exporters.model_file import open_model
    from nasprof.subjects._copying import copy_model, refuse_options

    assert subject.path is not None
    source = open_model(subject.path)
    if weights is not None:
        raise InputError(f"{subject.text} is an ONNX file and keeps its weights; omit --weights")
    refuse_options(subject, source, options)
    size = source.size_bytes + sum(file.size_bytes or 0 for file in source.external)
    own = own_version()
    return _Work(
        key=_key((source.sha256, subject.inputs, own, version("onnx")), options),
        large=size > LARGEST_MESSAGE_BYTES,
        write=lambda path: copy_model(subject, source, path, options, own),
    )


def _carry_out(
    work: _Work, output: Path | None, folder: Path
) -> tuple[Path, str, ExportRecord, bool]:
    """Take the result from the cache or make it there, and bring it to the output."""
    from exporters.model_file import open_model

    if output is not None and (work.large or work.key is None or not cache.usable(folder)):
        record = work.write(output)
        return output, open_model(output).sha256, record, False
    if not cache.usable(folder):
        raise InputError(f"the cache {folder} cannot be written; name an output file")
    found = None if work.key is None else cache.find(folder, work.key)
    entry = found or _make(work, folder)
    if output is not None:
        _deliver(entry.path, output)
    record = from_plain(ExportRecord, entry.facts)
    return output or entry.path, entry.sha256, record, found is not None


def _make(work: _Work, folder: Path) -> cache.Entry:
    with staging(folder) as staged:
        record = work.write(staged / cache.MODEL)
        return cache.add(folder, work.key, staged, to_plain(record))


def _deliver(path: Path, output: Path) -> None:
    with staging(output.parent) as folder:
        try:
            shutil.copyfile(path, folder / output.name)
        except OSError as error:
            raise InputError(f"cannot write {output}: {error.strerror}") from error
        publish(folder / output.name, output)


def _verify(
    path: Path, feeds: Sequence[Mapping[str, Array]], expected: Sequence[Mapping[str, Array]]
) -> list[OutputError]:
    """Compare a file's outputs, taken in a worker and without graph optimisation."""
    outputs = run_model(path, feeds, optimization="none")
    return [compare(want, got) for want, got in zip(expected, outputs, strict=True)]


def _tolerance(network: nn.Module) -> float:
    dtypes = {str(parameter.dtype) for parameter in network.parameters()}
    if "torch.bfloat16" in dtypes:
        return TOLERANCES["bf16"][0]
    return TOLERANCES["fp16"][0] if "torch.float16" in dtypes else EXPORT_TOLERANCE


def _key(identity: tuple[object, ...], options: ExportOptions) -> str:
    text = json.dumps([_exporters_code(), to_plain(identity), to_plain(options)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1)
def _exporters_code() -> str:
    """Hash the exporters' own code: what another version of it wrote is not found."""
    digest = hashlib.sha256()
    for file in sorted(Path(cache.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def own_version() -> str:
    """The version of nasprof that is installed."""
    try:
        return version("nasprof")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"
