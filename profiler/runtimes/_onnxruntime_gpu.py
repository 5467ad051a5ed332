"""What the two GPU providers of ONNX Runtime share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from profiler.core.errors import UnavailableError
from profiler.core.target import Target
from profiler.gpu import find
from profiler.runtimes._onnxruntime import OrtSession, load
from profiler.runtimes._runtime import RuntimeInfo

_GPU_REMEDY = (
    "run on a machine with an NVIDIA GPU, its driver, and the CUDA and cuDNN versions that "
    "ONNX Runtime's release notes name"
)


@dataclass(frozen=True, slots=True)
class OnnxRuntimeGpu:
    """An ONNX Runtime provider on an NVIDIA GPU, without CPU fallback."""

    provider: str

    def probe(self) -> RuntimeInfo:
        """Available only with the provider compiled in and a GPU that NVML can see."""
        if self.provider not in ort.get_available_providers():
            reason = f"this onnxruntime has no {self.provider}"
            return RuntimeInfo(
                False, ort.__version__, None, reason, "pip install onnxruntime-gpu", kind="cuda"
            )
        try:
            device = find().name
        except UnavailableError as error:
            return RuntimeInfo(False, ort.__version__, None, str(error), _GPU_REMEDY, kind="cuda")
        return RuntimeInfo(True, ort.__version__, device, kind="cuda")

    def load(self, model: Path, target: Target) -> OrtSession:
        """Load a model; raises UnavailableError where there is no GPU."""
        find()
        return load(model, target, self.provider, "cuda")
