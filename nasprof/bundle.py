"""`nasprof export --to`: one model in several formats, verified, with a manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporters.calibration_data import USUAL, Calibration, check
from exporters.destination import publish, staging
from exporters.formats._format import FORMATS
from exporters.model_file import open_model
from exporters.optimize import NONE, known_level
from nasprof import exporting
from nasprof.converting import Converted, Original, to_format, told
from nasprof.optimizing import Optimised, optimised
from profiler.bench.shapes import bind_inputs
from profiler.core import plugins
from profiler.core.errors import InputError, ModelError, UnavailableError
from profiler.core.outcome import OutputError
from profiler.core.plain import to_plain
from profiler.core.units import printable
from profiler.parity import doubts, worst

MANIFEST = "manifest.json"
_KIND = "nasprof-bundle"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file of an artifact; `path` is relative to the bundle. Unit: bytes."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Part:
    """One format at one precision: its files and how far its outputs are, or why there is none.

    Unit: seconds for converting and verifying. `load` is the file that the runtime opens; `kind`
    is `unavailable` or a kind of failure. `versions` are those of what converted it. `doubts` say
    what is wrong with a smaller precision whose outputs are too far from the model's, and
    `diverges` in which node that begins.
    """

    format: str
    precision: str
    load: str | None = None
    files: tuple[BundleFile, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    parity: tuple[OutputError, ...] = ()
    doubts: tuple[str, ...] = ()
    diverges: str = ""
    seconds: float | None = None
    kind: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was written to `folder`: the exported model's facts and its parts."""

    folder: Path
    exported: exporting.Exported
    parts: tuple[Part, ...]
    optimised: Optimised | None = None

    def to_json(self) -> dict[str, Any]:
        """What the manifest holds."""
        facts = self.exported.to_json()
        kept = ("subject", "sha256", "exporter", "opset", "batch", "params", "parity", "steps")
        return {
            "kind": _KIND,
            "version": _VERSION,
            "nasprof": exporting.own_version(),
            "model": {name: facts[name] for name in kept},
            "optimization": None if self.optimised is None else self.optimised.to_json(),
            "artifacts": [
                {**to_plain(part), "versions": dict(part.versions)} for part in self.parts
            ],
        }

    def lines(self) -> list[str]:
        """What a person wants to know, line by line."""
        before = [] if self.optimised is None else [self.optimised.line()]
        return before + [self._line(part) for part in self.parts] + [f"{self.folder / MANIFEST}"]

    def _line(self, part: Part) -> str:
        name = f"{part.format} {part.precision}"
        if part.load is None:
            return f"{name}: {part.kind}: {part.reason}"
        mib = sum(file.size_bytes for file in part.files) / 2**20
        agree = "outputs not compared, as the model itself does not run"
        if part.parity:
            largest = worst(part.parity)
            figures = f"{largest.relative:.1e}"
            if part.precision != "fp32":
                figures = told(largest)
            word = "differ" if part.doubts else "agree"
            agree = f"outputs {word} on {len(part.parity)} seeds, largest error {figures}"
            agree = ", ".join([agree, *part.doubts, *filter(None, [part.diverges])])
        return f"{name}: {self.folder / part.load}, {mib:.2f} MiB, {agree}"


def write_bundle(
    reference: exporting.Reference,
    formats: Sequence[str],
    folder: Path,
    *,
    precisions: Sequence[str] = ("fp32",),
    calibration: Calibration = USUAL,
    optimize: str = NONE,
    force: bool = False,
    **options: Any,
) -> Bundle:
    """Export a subject, convert it to every format at every precision, and write the folder.

    `options` are those of `nasprof.exporting.export`. A format that gives nothing is a part with
    its reason; the others are written. `optimize` is how the graph is optimised before.
    Raises: InputError for an unknown format or a folder that must not be written, before any work;
        ModelError when the graph cannot be optimised.
    """
    known = plugins.names(FORMATS)
    for name in formats:
        if name not in known:
            raise InputError(f"unknown format {name!r}; the formats are: {', '.join(known)}")
    check(calibration)
    known_level(optimize)
    _check_folder(folder, force)
    subject = exporting.resolve(reference, options.pop("input_shape", None))
    exported = exporting.export(subject, None, **options)
    model = open_model(exported.path)
    original = Original(
        model,
        subject.text,
        bind_inputs(model.inputs, {}, None),
        None if subject.path is not None else subject,
        exported.batch or 1,
        options.get("seed", 0),
    )
    better = None if optimize == NONE else optimised(original, optimize)
    original = original if better is None else better.original
    folder.mkdir(exist_ok=True)
    with staging(folder) as staged:
        pairs = [(name, precision) for name in formats for precision in precisions]
        parts = tuple(
            _part(original, name, precision, calibration, staged) for name, precision in pairs
        )
        bundle = Bundle(folder, exported, parts, better)
        _move(staged, parts, folder)
        manifest = staged / MANIFEST
        manifest.write_text(json.dumps(bundle.to_json(), indent=2, allow_nan=False) + "\n")
        publish(manifest, folder / MANIFEST)
    return bundle


def _part(
    original: Original, name: str, precision: str, calibration: Calibration, staged: Path
) -> Part:
    try:
        made = to_format(original, name, precision, calibration)
    except UnavailableError as error:
        return Part(name, precision, kind="unavailable", reason=str(error))
    except ModelError as error:
        return Part(name, precision, kind=str(error.kind), reason=str(error))
    except InputError as error:  # what torch.export cannot take, for the formats made of networks
        return Part(name, precision, kind="unsupported", reason=str(error))
    return _copied(made, name, precision, staged)


def _copied(made: Converted, name: str, precision: str, staged: Path) -> Part:
    place = staged / f"{name}-{precision}"
    place.mkdir()
    files = []
    for file in made.artifact.files():
        copy = place / file.name
        shutil.copyfile(file, copy)
        with copy.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        files.append(BundleFile(f"{place.name}/{file.name}", sha256, copy.stat().st_size))
    return Part(
        name, precision, f"{place.name}/{made.artifact.path.name}", tuple(files), made.versions,
        made.parity, doubts(worst(made.parity), precision), made.diverges, made.artifact.seconds,
    )  # fmt: skip


def _move(staged: Path, parts: Sequence[Part], folder: Path) -> None:
    """Give every artifact its final name; what an earlier run left under it goes away."""
    for part in parts:
        name = f"{part.format}-{part.precision}"
        try:
            if (folder / name).exists():
                (folder / name).rename(staged / f"{name}.old")
            if part.load is not None:
                (staged / name).rename(folder / name)
        except OSError as error:
            raise InputError(f"cannot write {folder / name}: {error.strerror}") from error


def _check_folder(folder: Path, force: bool) -> None:
    """Refuse a place that is no new folder, no empty one and no bundle.

    Raises: InputError with the remedy.
    """
    shown = printable(str(folder))
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{shown} is not a folder; --to writes into one")
    if not folder.parent.is_dir():
        raise InputError(
            f"the folder {printable(str(folder.parent))} does not exist; make it first"
        )
    if folder.exists() and any(folder.iterdir()) and not force and not _ours(folder):
        raise InputError(
            f"{shown} holds files that nasprof did not write; name a new folder, or use --force"
        )


def _ours(folder: Path) -> bool:
    try:
        found = json.loads((folder / MANIFEST).read_text())
        return isinstance(found, dict) and found.get("kind") == _KIND
    except (OSError, ValueError):
        return False
