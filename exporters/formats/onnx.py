"""ONNX itself: the verified model with fixed sizes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from exporters.formats._format import ONNX, Conversion


@dataclass(frozen=True, slots=True)
class Onnx:
    """The source as it is."""

    file: str = "model.onnx"
    runtime: str = "onnxruntime-cpu"
    source: str = ONNX
    precisions: tuple[str, ...] = ("fp32",)
    packages: tuple[str, ...] = ("onnx",)
    remedy: str = "pip install nasprof"
    largest_batch: int | None = None

    def convert(self, job: Conversion) -> None:
        """Copy the source."""
        shutil.copyfile(job.source, job.path)


PLUGIN = Onnx()
