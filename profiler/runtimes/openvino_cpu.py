"""OpenVINO on the CPU, pinned to the precision that was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from exporters.calibration_data import OPTIONS, QUANTISED
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind, Placement
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.runtimes._library import library
from profiler.runtimes._runtime import Array, RuntimeInfo

_LIBRARY = library("openvino", 'pip install "nasprof[openvino]"')
# OpenVINO picks bfloat16 by itself on CPUs with AMX, so the hint is always set and read back.
_PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}
_INTEGERS = ("i8", "u8")


class OpenVinoSession:
    """A compiled model with one infer request and its inputs shared, not copied."""

    def __init__(self, compiled: Any, precision: str) -> None:
        self._compiled = compiled
        self._request = compiled.create_infer_request()
        self._precision = precision

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs in the model's order; a dynamic dimension is named after its place."""
        return tuple(
            TensorSpec(
                port.get_any_name(),
                port.element_type.to_dtype().name,
                tuple(
                    dim.get_length() if dim.is_static else f"{port.get_any_name()}_{place}"
                    for place, dim in enumerate(port.get_partial_shape())
                ),
            )
            for port in self._compiled.inputs
        )

    @property
    def placement(self) -> tuple[Placement, ...]:
        """Nodes of the runtime graph by the precision that each really runs in."""
        nodes = Counter(
            node.get_rt_info()["runtimePrecision"].astype(str)
            for node in self._compiled.get_runtime_model().get_ordered_ops()
            if "runtimePrecision" in node.get_rt_info()
        )
        return tuple(Placement("cpu", name, count) for name, count in sorted(nodes.items()))

    @property
    def effective(self) -> tuple[tuple[str, str], ...]:
        """Threads, streams and precision as the compiled model reports them."""
        keys = ("INFERENCE_NUM_THREADS", "NUM_STREAMS", "INFERENCE_PRECISION_HINT")
        return tuple((key.lower(), str(self._compiled.get_property(key))) for key in keys)

    def bind(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        """Set the input tensors once, sharing the arrays' memory."""
        ov = _LIBRARY.needed()
        self._feeds = {name: np.ascontiguousarray(value) for name, value in feeds.items()}
        for name, value in self._feeds.items():
            self._request.set_tensor(name, ov.Tensor(value, shared_memory=True))
        return self._request.infer  # type: ignore[no-any-return]

    def outputs(self) -> dict[str, Array]:
        """Copies of the outputs of the last inference."""
        return {
            port.get_any_name(): np.array(self._request.get_tensor(port).data)
            for port in self._compiled.outputs
        }


class OpenVinoCpu:
    """OpenVINO's CPU plug-in; it reads ONNX files by itself."""

    def probe(self) -> RuntimeInfo:
        """Available when the library imports."""
        ov = _LIBRARY.module
        if ov is None:
            return RuntimeInfo(False, None, None, _LIBRARY.missing, _LIBRARY.remedy)
        return RuntimeInfo(
            True,
            ov.get_version().split("-")[0],
            "cpu",
            precisions=tuple(_PRECISIONS),
            converts={QUANTISED: "openvino"},
        )

    def load(self, model: Path, target: Target) -> OpenVinoSession:
        """Compile a model for latency on one stream.

        Raises: ModelError `wrong_precision` when the plug-in will not run as asked.
        """
        ov = _LIBRARY.needed()
        hint = _PRECISIONS.get(target.precision)
        quantised = OPTIONS if target.precision == QUANTISED else ()
        if hint is None or any(name not in quantised for name, _ in target.options):
            raise ModelError(
                FailureKind.BAD_INPUT,
                f"openvino-cpu has the precisions {', '.join(_PRECISIONS)} and no further options",
            )
        core = ov.Core()
        settings = {
            "INFERENCE_NUM_THREADS": target.threads, "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint,
        }  # fmt: skip
        compiled = core.compile_model(core.read_model(str(model)), "CPU", settings)
        effective = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if effective != hint:
            raise ModelError(
                FailureKind.WRONG_PRECISION, f"asked openvino for {hint}, it runs {effective}"
            )
        session = OpenVinoSession(compiled, target.precision)
        ran = {place.precision for place in session.placement}
        if target.precision == QUANTISED and not ran & set(_INTEGERS):
            raise ModelError(
                FailureKind.WRONG_PRECISION, f"asked openvino for int8, it runs {', '.join(ran)}"
            )
        return session


PLUGIN = OpenVinoCpu()
