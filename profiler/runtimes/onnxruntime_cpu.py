"""ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from exporters.formats._format import ONNX
from profiler.core.target import Target
from profiler.runtimes._onnxruntime import OrtSession, load
from profiler.runtimes._onnxruntime_trace import OrtRecorder
from profiler.runtimes._runtime import RuntimeInfo

_PRECISIONS = ("fp32", "fp16", "int8")


class OnnxRuntimeCpu:
    """ONNX Runtime's CPU execution provider."""

    def probe(self) -> RuntimeInfo:
        """Always there: ONNX Runtime is a dependency of nasprof."""
        converts = dict.fromkeys(_PRECISIONS[1:], ONNX)
        return RuntimeInfo(
            True, ort.__version__, "cpu", precisions=_PRECISIONS, profiles=True, converts=converts
        )

    def load(self, model: Path, target: Target) -> OrtSession:
        """Load a model on the CPU provider."""
        return load(model, target, "CPUExecutionProvider", "cpu", precisions=_PRECISIONS)

    def record(self, model: Path, target: Target, folder: Path) -> OrtRecorder:
        """Load a model on the CPU provider with ONNX Runtime's profiler on."""
        return OrtRecorder(model, target, "CPUExecutionProvider", "cpu", folder)


PLUGIN = OnnxRuntimeCpu()
