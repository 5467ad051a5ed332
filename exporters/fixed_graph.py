"""An ONNX graph as converters need it; run in a worker, as a stranger may have written the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
from onnx import version_converter

from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind
from profiler.core.tensor import TensorSpec

# Since IR 4 an initializer is a constant unless it is also an input. Below opset 13 Softmax works
# on a flattened matrix, which converters read as the last axis.
_IR, _OPSET = 4, 13


def fix(
    source: Path, destination: Path, inputs: Sequence[TensorSpec]
) -> dict[str, tuple[int | None, ...]]:
    """Write a copy with fixed sizes, constants as constants, opset 13 or newer, in one file.

    Shapes: `inputs` give every dimension of every input a size; the result are the outputs' shapes
    by name, None where one depends on the values.
    Raises: ModelError `unsupported` when an old opset cannot be raised.
    """
    model = onnx.load(source)
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in [v for v in model.graph.input if v.name in constants]:
        model.graph.input.remove(value)
    model.ir_version = max(model.ir_version, _IR)
    _set_sizes(model.graph, {spec.name: spec for spec in inputs})
    model = _raised(model)
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    destination.write_bytes(model.SerializeToString(deterministic=True))
    return {
        value.name: tuple(dim.dim_value or None for dim in value.type.tensor_type.shape.dim)
        for value in model.graph.output
    }


def _set_sizes(graph: onnx.GraphProto, wanted: dict[str, TensorSpec]) -> None:
    """Fix the inputs; what was inferred with symbols is inferred again."""
    symbols: dict[str, int] = {}
    for value in graph.input:
        shape = value.type.tensor_type.shape
        for dim, size in zip(shape.dim, wanted[value.name].shape or (), strict=True):
            assert isinstance(size, int)
            if dim.dim_param:
                symbols[dim.dim_param] = size
            dim.dim_value = size
    if not symbols:
        return
    del graph.value_info[:]
    for dim in _output_dims(graph):
        if dim.dim_param in symbols:
            dim.dim_value = symbols[dim.dim_param]


def _output_dims(graph: onnx.GraphProto) -> Iterator[onnx.TensorShapeProto.Dimension]:
    for value in graph.output:
        yield from value.type.tensor_type.shape.dim


def _raised(model: onnx.ModelProto) -> onnx.ModelProto:
    opset = next((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), _OPSET)
    if opset >= _OPSET:
        return model
    try:
        raised = version_converter.convert_version(model, _OPSET)
    except RuntimeError as error:  # the converter's own errors have no type
        said = str(error).rpartition("failed: ")[2]
        raise ModelError(
            FailureKind.UNSUPPORTED, f"opset {opset} cannot be raised to {_OPSET}: {said}"
        ) from error
    # Types are those of the old opset still: Dropout's mask was float, and is bool now.
    del raised.graph.value_info[:]
    return raised
