"""What a format plug-in is: `PLUGIN: Format`. Importing its file imports no library."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from exporters.calibration_data import USUAL, Calibration
from profiler.core.plain import from_plain
from profiler.core.tensor import TensorSpec

FORMATS = "exporters.formats"
ONNX = "onnx"
TORCH_PROGRAM = "torch-program"
EDGE_REMEDY = 'pip install "nasprof[edge]"'
_SIGNATURE = "signature.json"


@dataclass(frozen=True, slots=True)
class Signature:
    """What the model takes and gives; formats that lose names or types keep it beside them."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True)
class Conversion:
    """One conversion: `source` is nasprof's own copy, `path` the file to write.

    Further files go beside `path`; `scratch` is an empty folder that is removed afterwards.
    `calibration` is for precisions that are quantised.
    """

    source: Path
    path: Path
    signature: Signature
    precision: str
    scratch: Path
    calibration: Calibration = USUAL


@dataclass(frozen=True, slots=True)
class Also:
    """What a precision needs besides: one distribution out of several that are the same library."""

    precision: str
    packages: tuple[str, ...]
    remedy: str


class Format(Protocol):
    """A runtime's own format."""

    @property
    def file(self) -> str:
        """Name of the file that the runtime loads."""
        ...

    @property
    def runtime(self) -> str:
        """The runtime that the artifact is verified on."""
        ...

    @property
    def source(self) -> str:
        """What it converts from: `onnx`, or `torch-program` for networks only."""
        ...

    @property
    def precisions(self) -> tuple[str, ...]:
        """Precisions that it can be asked for."""
        ...

    @property
    def refuses(self) -> tuple[tuple[str, str], ...]:
        """Precisions that a person may expect, each with the reason why there is none."""
        ...

    @property
    def packages(self) -> tuple[str, ...]:
        """Distributions that convert; their versions are part of an artifact's identity."""
        ...

    @property
    def also(self) -> tuple[Also, ...]:
        """What single precisions need besides."""
        ...

    @property
    def remedy(self) -> str:
        """The command that installs them."""
        ...

    @property
    def largest_batch(self) -> int | None:
        """The largest batch that it can hold; None for any."""
        ...

    def convert(self, job: Conversion) -> None:
        """Write the artifact.

        Raises: ModelError `unsupported` naming the operator, or whatever the converter raises.
        """
        ...


def write_signature(path: Path, signature: Signature) -> None:
    """Keep the signature beside an artifact."""
    path.with_name(_SIGNATURE).write_text(json.dumps(asdict(signature), indent=1))


def read_signature(path: Path) -> Signature:
    """The signature kept beside an artifact."""
    found: Signature = from_plain(Signature, json.loads(path.with_name(_SIGNATURE).read_text()))
    return found
