"""OpenVINO's intermediate representation: `model.xml` with `model.bin` beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from exporters.calibration_data import samples, saturates
from exporters.formats._format import EDGE_REMEDY, ONNX, Also, Conversion
from exporters.quiet import quiet
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind

# NNCF's name for graphs whose attention must not be quantised like convolutions.
_ATTENTION = "Softmax"


@dataclass(frozen=True, slots=True)
class OpenVino:
    """Written by OpenVINO's own reader and writer, never by its `ovc` tool, which reports use."""

    file: str = "model.xml"
    runtime: str = "openvino-cpu"
    source: str = ONNX
    precisions: tuple[str, ...] = ("fp32", "fp16", "int8")
    refuses: tuple[tuple[str, str], ...] = ()
    packages: tuple[str, ...] = ("openvino",)
    also: tuple[Also, ...] = (Also("int8", ("nncf",), 'pip install "nasprof[nncf]"'),)
    remedy: str = EDGE_REMEDY
    largest_batch: int | None = None

    def convert(self, job: Conversion) -> None:
        """Write both files; weights are halved or quantised only when that was asked for.

        Raises: ModelError for int8 of another kind than NNCF makes.
        """
        import openvino as ov

        model = ov.Core().read_model(str(job.source))
        if job.precision == "int8":
            model = _quantised(model, job)
        ov.save_model(model, str(job.path), compress_to_fp16=job.precision == "fp16")


def _quantised(model: Any, job: Conversion) -> Any:
    if job.calibration.dynamic or job.calibration.method != "minmax" or job.calibration.operators:
        raise ModelError(
            FailureKind.UNSUPPORTED, "OpenVINO's int8 is static, minmax, of the whole graph"
        )
    with quiet():
        import nncf

        found = samples(job.calibration, job.signature.inputs)
        kinds = [operator.get_type_name() for operator in model.get_ordered_ops()]
        kind = nncf.ModelType.TRANSFORMER if _ATTENTION in kinds[:-3] else None
        fix = nncf.OverflowFix.ENABLE if saturates() else nncf.OverflowFix.DISABLE
        return nncf.quantize(
            model,
            nncf.Dataset(found),
            subset_size=len(found),
            model_type=kind,
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=fix),
        )


PLUGIN = OpenVino()
