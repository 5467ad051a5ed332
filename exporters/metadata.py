"""What an exported file says about itself, kept in the model's metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

PREFIX = "nasprof."
SUBJECT = "nasprof.subject"
VERSION = "nasprof.version"
TORCH = "nasprof.torch"
ONNX = "nasprof.onnx"
EXPORTER = "nasprof.exporter"
STEPS = "nasprof.steps"
OPSET = "nasprof.opset"
SEED = "nasprof.seed"
BATCH = "nasprof.batch"
INPUTS = "nasprof.inputs"
PARAMS = "nasprof.params"
PARITY = "nasprof.parity"
WEIGHTS = "nasprof.weights"
OPTIMIZED = "nasprof.optimized"


def append(path: Path, values: Mapping[str, str]) -> None:
    """Add metadata to a file; what was verified stays as it is, byte for byte.

    A protobuf message followed by another one of its type is the two merged.
    """
    import onnx  # here, because reading metadata needs none of it

    addition = onnx.ModelProto()
    for key, value in sorted(values.items()):
        addition.metadata_props.add(key=key, value=value)
    with path.open("ab") as file:
        file.write(addition.SerializeToString())


def written_by_nasprof(metadata: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a file with this metadata came out of an export."""
    return any(key == VERSION for key, _ in metadata)


def module_params(metadata: Iterable[tuple[str, str]]) -> int | None:
    """The parameter count of the torch module, or None where the export did not record one."""
    text = dict(metadata).get(PARAMS, "")
    return int(text) if text.isdecimal() else None
