"""ONNX Runtime through one execution provider, never another than the one asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from exporters.calibration_data import OPTIONS, QUANTISED
from exporters.formats.onnx import NODES
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind, Placement
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.runtimes._cuda import Stream
from profiler.runtimes._runtime import Array, Call, DeviceCall

_DTYPES = {
    "float": "float32", "double": "float64", "float16": "float16", "bfloat16": "bfloat16",
    "bool": "bool", "string": "str",
    "int8": "int8", "int16": "int16", "int32": "int32", "int64": "int64",
    "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64",
}  # fmt: skip
_LEVELS = {
    "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


class OrtSession:
    """An ONNX Runtime session with its inputs bound on the device."""

    def __init__(
        self,
        session: ort.InferenceSession,
        device: str,
        stream: Stream | None = None,
        placement: tuple[Placement, ...] = (),
    ) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._device = device
        self._feeds: dict[str, Any] = {}
        self._stream = stream
        self._placement = placement or (Placement(device, "fp32", None),)

    def end_profiling(self) -> Path:
        """Write the trace of a session that records, and return its path."""
        return Path(self._session.end_profiling())

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs in the model's order."""
        return tuple(
            TensorSpec(i.name, _DTYPES.get(i.type[7:-1], i.type), tuple(i.shape))
            for i in self._session.get_inputs()
        )

    @property
    def placement(self) -> tuple[Placement, ...]:
        """Fallback is disabled, so every node is on the provider.

        A model of smaller precision has its nodes counted in the graph that ONNX Runtime makes.
        """
        return self._placement

    @property
    def effective(self) -> tuple[tuple[str, str], ...]:
        """Providers and threads of the session as created."""
        options = self._session.get_session_options()
        return (
            ("providers", ",".join(self._session.get_providers())),
            ("intra_op_num_threads", str(options.intra_op_num_threads)),
            ("inter_op_num_threads", str(options.inter_op_num_threads)),
        )

    def bind(self, feeds: Mapping[str, Array]) -> Call:
        """Bind inputs and outputs on the device."""
        self._feeds = {
            name: ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value), self._device)
            for name, value in feeds.items()
        }
        for name, value in self._feeds.items():
            self._binding.bind_ortvalue_input(name, value)
        for output in self._session.get_outputs():
            self._binding.bind_output(output.name, self._device)
        binding, run = self._binding, self._session.run_with_iobinding
        if self._stream is None:
            return lambda: run(binding)
        options = ort.RunOptions()
        # Without it a run waits for the GPU, and the enqueue could not be told from the work.
        options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        return DeviceCall(
            begin=self._stream.begin,
            run=lambda: run(binding, options),
            end=self._stream.end,
            wait=self._stream.wait,
            device_ns=self._stream.device_ns,
            transfer=partial(self._transfer, feeds),
        )

    def _transfer(self, feeds: Mapping[str, Array]) -> None:
        for name, value in self._feeds.items():
            value.update_inplace(feeds[name])
        self._binding.copy_outputs_to_cpu()

    def another(self) -> OrtSession | None:
        """A binding of its own on the same session; None on a GPU, where it has but one stream."""
        return OrtSession(self._session, self._device) if self._stream is None else None

    def outputs(self) -> dict[str, Array]:
        """Copies of the outputs of the last inference."""
        names = [output.name for output in self._session.get_outputs()]
        return dict(zip(names, self._binding.copy_outputs_to_cpu(), strict=True))


def load(
    model: Path,
    target: Target,
    provider: str,
    device: str,
    change: Callable[[Any], None] = lambda options: None,
    precisions: tuple[str, ...] = ("fp32",),
) -> OrtSession:
    """Create a session on one provider with CPU fallback refused.

    `change` has the last word on ONNX Runtime's session options.
    Raises: ModelError with kind `wrong_device` when the session came up elsewhere,
    `wrong_precision` for a precision that this provider does not pin.
    """
    if target.precision not in precisions:
        raise ModelError(
            FailureKind.WRONG_PRECISION,
            f"{target.runtime} runs a model in the precision of its file, which can be "
            f"{', '.join(precisions)}, not {target.precision}",
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = target.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    quantised = OPTIONS if target.precision == QUANTISED else ()
    wanted = {name: value for name, value in target.options if name not in quantised}
    level = wanted.pop("optimization", "all")
    if level not in _LEVELS or wanted:
        raise ModelError(
            FailureKind.BAD_INPUT,
            f"{target.runtime} has one option, optimization = {'|'.join(_LEVELS)}",
        )
    options.graph_optimization_level = _LEVELS[level]
    if device != "cpu":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    change(options)
    # On a stream of our own the GPU's time can be told from the host's.
    stream = Stream() if device == "cuda" else None
    wanted_provider = (
        provider if stream is None else (provider, {"user_compute_stream": str(stream.address)})
    )
    session = ort.InferenceSession(str(model), options, providers=[wanted_provider])
    if session.get_providers()[0] != provider:
        raise ModelError(
            FailureKind.WRONG_DEVICE,
            f"asked for {provider}, got {', '.join(session.get_providers())}",
        )
    return OrtSession(session, device, stream, _counted(model, target, device))


def _counted(model: Path, target: Target, device: str) -> tuple[Placement, ...]:
    if target.precision == "fp32":
        return ()
    counts: dict[str, int] = json.loads(model.with_name(NODES).read_text())
    return tuple(Placement(device, name, count) for name, count in sorted(counts.items()))
