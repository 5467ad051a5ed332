"""OpenVINO's intermediate representation: `model.xml` with `model.bin` beside it."""

from __future__ import annotations

from dataclasses import dataclass

from exporters.formats._format import EDGE_REMEDY, ONNX, Conversion


@dataclass(frozen=True, slots=True)
class OpenVino:
    """Written by OpenVINO's own reader and writer, never by its `ovc` tool, which reports use."""

    file: str = "model.xml"
    runtime: str = "openvino-cpu"
    source: str = ONNX
    precisions: tuple[str, ...] = ("fp32", "fp16")
    packages: tuple[str, ...] = ("openvino",)
    remedy: str = EDGE_REMEDY
    largest_batch: int | None = None

    def convert(self, job: Conversion) -> None:
        """Write both files; weights are halved only when that was asked for."""
        import openvino as ov

        model = ov.Core().read_model(str(job.source))
        ov.save_model(model, str(job.path), compress_to_fp16=job.precision == "fp16")


PLUGIN = OpenVino()
