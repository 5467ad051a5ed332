"""ONNX itself: the verified model with fixed sizes, also halved or quantised."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass

from exporters.formats._format import ONNX, Also, Conversion
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind

_ORT, _REMEDY = ("onnxruntime-gpu", "onnxruntime"), "pip install onnxruntime"
NODES = "nodes.json"
"""Beside the model: how many of its nodes compute in which precision once it is loaded."""


@dataclass(frozen=True, slots=True)
class Onnx:
    """The source as it is, or made smaller by ONNX Runtime's tools."""

    file: str = "model.onnx"
    runtime: str = "onnxruntime-cpu"
    source: str = ONNX
    precisions: tuple[str, ...] = ("fp32", "fp16", "int8")
    refuses: tuple[tuple[str, str], ...] = ()
    packages: tuple[str, ...] = ("onnx",)
    also: tuple[Also, ...] = (Also("fp16", _ORT, _REMEDY), Also("int8", _ORT, _REMEDY))
    remedy: str = "pip install nasprof"
    largest_batch: int | None = None

    def convert(self, job: Conversion) -> None:
        """Copy, halve or quantise the source.

        Raises: ModelError when nothing in it can be quantised.
        """
        if job.precision == "fp32":
            shutil.copyfile(job.source, job.path)
            return
        from exporters.quantize import count_nodes, halve, quantise

        if job.precision == "fp16":
            halve(job.source, job.path)
        else:
            quantise(job.source, job.path, job.scratch, job.signature.inputs, job.calibration)
        nodes = count_nodes(job.path, job.scratch)
        job.path.with_name(NODES).write_text(json.dumps(nodes))
        if job.precision == "int8" and not nodes.get("int8"):
            raise ModelError(
                FailureKind.WRONG_PRECISION, "none of its operators runs in int8 on ONNX Runtime"
            )


PLUGIN = Onnx()
