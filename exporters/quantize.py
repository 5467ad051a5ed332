"""An ONNX model in a smaller precision, by ONNX Runtime's own tools; run in a worker."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto

from exporters.calibration_data import Calibration, Sample, samples, saturates
from exporters.quiet import quiet
from profiler.core.tensor import TensorSpec

_TYPES = {
    TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16", TensorProto.BFLOAT16: "bf16",
    TensorProto.INT8: "int8", TensorProto.UINT8: "int8", TensorProto.DOUBLE: "fp64",
}  # fmt: skip
# Integer products, some of whose results are written as float.
_INTEGER = (
    "MatMulInteger", "ConvInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QGemm",
    "QAttention",
)  # fmt: skip
_MOVES = ("Cast", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
# Quantised as a whole, graphs with these lose most of their accuracy; with only the operators
# that hold weights they do not.
_SENSITIVE = ("LayerNormalization", "SimplifiedLayerNormalization", "Softmax")
_WEIGHTED = ("Conv", "MatMul", "Gemm")
# Integer convolutions of dynamic quantisation are several times slower than float ones.
_DYNAMIC = ("MatMul", "Gemm")


def halve(source: Path, destination: Path) -> None:
    """Half precision inside, inputs and outputs as they are."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one warning for each number that rounds to zero
        onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), destination)


def quantise(
    source: Path,
    destination: Path,
    scratch: Path,
    inputs: Sequence[TensorSpec],
    calibration: Calibration,
) -> None:
    """Eight bits: unsigned activations and signed weights, one scale for each output channel.

    Weights use seven of them where this processor's sums would overflow.

    Raises: ModelError for calibration data that does not fit the inputs.
    """
    from onnxruntime.quantization import QuantType, quant_pre_process, quantize_dynamic
    from onnxruntime.quantization import quantize_static as static

    prepared = scratch / "prepared.onnx"
    with quiet():
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        if calibration.dynamic:
            kinds = list(calibration.operators or _DYNAMIC)
            quantize_dynamic(
                prepared,
                destination,
                kinds,
                per_channel=True,
                reduce_range=saturates(),
                weight_type=QuantType.QInt8,
            )
            return
        static(
            prepared,
            destination,
            _Reader(samples(calibration, inputs)),
            op_types_to_quantize=_operators(prepared, calibration),
            per_channel=True,
            reduce_range=saturates(),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=_method(calibration.method),
        )


def _operators(model: Path, calibration: Calibration) -> list[str] | None:
    """Those asked for, else all, else only those with weights where the rest would be ruined."""
    if calibration.operators:
        return list(calibration.operators)
    graph = onnx.load(model, load_external_data=False).graph
    inner = {node.op_type for node in graph.node if not _is_last(node, graph)}
    return list(_WEIGHTED) if inner & set(_SENSITIVE) else None


def _is_last(node: onnx.NodeProto, graph: onnx.GraphProto) -> bool:
    return any(value.name in node.output for value in graph.output)


def _method(name: str) -> Any:
    from onnxruntime.quantization import CalibrationMethod

    methods = {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }
    return methods[name]


class _Reader:
    """Samples one after another, as ONNX Runtime's calibration asks for them."""

    def __init__(self, found: Sequence[Sample]) -> None:
        self._left: Iterator[Sample] = iter(found)

    def get_next(self) -> Sample | None:
        """The next sample, None after the last."""
        return next(self._left, None)


def count_nodes(model: Path, scratch: Path) -> dict[str, int]:
    """Count the precisions of the nodes of the graph that ONNX Runtime makes of a model."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(scratch / "loaded.onnx")
    ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    loaded = onnx.load(scratch / "loaded.onnx", load_external_data=False)
    return dict(_precisions(loaded.graph))


def _precisions(graph: onnx.GraphProto) -> Counter[str]:
    """Values that ONNX Runtime made have no type there: theirs is that of the first input."""
    values = [*graph.input, *graph.value_info, *graph.output]
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    found: Counter[str] = Counter()
    for node in graph.node:
        made = types.setdefault(node.output[0], _made(node, types))
        integer = node.op_type.startswith("QLinear") or node.op_type in _INTEGER
        precision = "int8" if integer else _TYPES.get(made)
        if node.op_type not in _MOVES and precision is not None:
            found[precision] += 1
    return found


def _made(node: onnx.NodeProto, types: dict[str, int]) -> int:
    if node.op_type == "Cast":
        return next(int(attribute.i) for attribute in node.attribute if attribute.name == "to")
    if node.op_type == "DequantizeLinear":
        return int(TensorProto.FLOAT)
    if node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear"):
        return int(TensorProto.UINT8)
    return next((types[name] for name in node.input if name in types), 0)
