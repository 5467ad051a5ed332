"""What an exported file says about itself, kept in the model's metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx

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
SOURCE = "nasprof.source"


def stamp(model: onnx.ModelProto, values: Mapping[str, str]) -> None:
    """Set metadata of a model; keys of nasprof that it had before are gone, others stay."""
    kept = [(p.key, p.value) for p in model.metadata_props if not p.key.startswith(PREFIX)]
    del model.metadata_props[:]
    for key, value in [*kept, *sorted(values.items())]:
        model.metadata_props.add(key=key, value=value)


def written_by_nasprof(metadata: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a file with this metadata came out of an export."""
    return any(key == VERSION for key, _ in metadata)


def module_params(metadata: Iterable[tuple[str, str]]) -> int | None:
    """The parameter count of the torch module, or None where the export did not record one."""
    text = dict(metadata).get(PARAMS, "")
    return int(text) if text.isdecimal() else None
