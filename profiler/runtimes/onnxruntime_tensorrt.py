"""ONNX Runtime's TensorRT execution provider on an NVIDIA GPU."""

from __future__ import annotations

from profiler.runtimes._onnxruntime_gpu import OnnxRuntimeGpu

PLUGIN = OnnxRuntimeGpu("TensorrtExecutionProvider")
