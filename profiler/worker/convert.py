"""Convert a model in a worker of its own."""

from __future__ import annotations

from pathlib import Path

from exporters.calibration_data import USUAL, Calibration
from exporters.formats._format import Signature
from profiler.core.errors import ModelError
from profiler.core.plain import to_plain
from profiler.environments._environment import interpreter_for, of_format
from profiler.worker.classify import result_of
from profiler.worker.launch import Job, launch

DEADLINE_S = 600.0


def convert(
    converter: str,
    source: Path,
    path: Path,
    signature: Signature,
    precision: str = "fp32",
    calibration: Calibration = USUAL,
) -> None:
    """Write the artifact `path` of a model; the worker reads `source` and writes beside `path`.

    Raises: ModelError with the kind and the reason when the worker gives none.
    """
    arguments = {
        "format": converter, "source": str(source.resolve()), "path": str(path.resolve()),
        "signature": to_plain(signature), "precision": precision,
        "calibration": to_plain(calibration),
    }  # fmt: skip
    interpreter = interpreter_for(of_format(converter))
    _, problem = result_of(launch(Job("convert", arguments, DEADLINE_S, interpreter=interpreter)))
    if problem is not None:
        raise ModelError(problem.kind, f"it cannot be converted to {converter}: {problem.message}")
