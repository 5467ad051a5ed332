"""ONNX Runtime's CUDA execution provider on an NVIDIA GPU."""

from __future__ import annotations

from profiler.runtimes._onnxruntime_gpu import OnnxRuntimeGpu

PLUGIN = OnnxRuntimeGpu("CUDAExecutionProvider")
