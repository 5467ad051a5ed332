"""A copy of an ONNX file in one standard form; run in a worker, as a stranger wrote the file."""

from __future__ import annotations

from pathlib import Path

import onnx

from exporters import metadata
from exporters.graph import store
from exporters.options import LARGEST_MESSAGE_BYTES
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind

# Since this version an initializer is a constant unless it is also an input.
_CONSTANTS_IR = 4


def normalise(source: Path, destination: Path) -> None:
    """Check a model and write it with its weights as constants and the shapes of its values.

    Operators and opset stay as they are. The weights end up inside the file, or in one file beside
    it above 2 GiB.
    Raises: ModelError `invalid_model` with what the checker says.
    """
    try:
        onnx.checker.check_model(str(source), full_check=True)
        model = onnx.load(source)
        constants = {tensor.name for tensor in model.graph.initializer}
        for value in [v for v in model.graph.input if v.name in constants]:
            model.graph.input.remove(value)
        model.ir_version = max(model.ir_version, _CONSTANTS_IR)
        _drop_stale_metadata(model)
        store(model, destination, _weight_bytes(model) > LARGEST_MESSAGE_BYTES)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        lines = str(error).strip().splitlines() or ["the checker refuses it"]
        raise ModelError(FailureKind.INVALID_MODEL, f"{source.name}: {lines[0]}") from error


def _weight_bytes(model: onnx.ModelProto) -> int:
    return sum(len(tensor.raw_data) for tensor in model.graph.initializer)


def _drop_stale_metadata(model: onnx.ModelProto) -> None:
    """What an earlier export said about its file; the subject and its parameters stay true."""
    stale = (metadata.PARITY, metadata.STEPS, metadata.VERSION, metadata.ONNX, metadata.EXPORTER)
    for entry in [e for e in model.metadata_props if e.key in stale]:
        model.metadata_props.remove(entry)
