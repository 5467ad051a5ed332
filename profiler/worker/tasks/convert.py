"""Convert a model to a runtime's own format; nothing is measured in the same process."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from exporters.calibration_data import Calibration
from exporters.formats._format import FORMATS, ONNX, Conversion, Format, Signature, write_signature
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind
from profiler.core.plain import from_plain
from profiler.core.plugins import load


def run(arguments: dict[str, Any], send: Any) -> dict[str, Any]:
    """Arguments: format, source, path, signature, precision, calibration.

    Success is the file, not a word.
    """
    converter: Format = load(FORMATS, arguments["format"])
    signature: Signature = from_plain(Signature, arguments["signature"])
    source, path = Path(arguments["source"]), Path(arguments["path"])
    scratch = Path(tempfile.mkdtemp())
    if converter.source == ONNX:
        from exporters.fixed_graph import fix

        copy = Path(tempfile.mkdtemp()) / "model.onnx"
        shapes = fix(source, copy, signature.inputs)
        outputs = tuple(replace(spec, shape=shapes[spec.name]) for spec in signature.outputs)
        source, signature = copy, replace(signature, outputs=outputs)
    send({"stage": "imported"})
    calibration: Calibration = from_plain(Calibration, arguments["calibration"])
    job = Conversion(source, path, signature, arguments["precision"], scratch, calibration)
    converter.convert(job)
    if not (path.is_file() and path.stat().st_size):
        raise ModelError(
            FailureKind.UNSUPPORTED, f"the {arguments['format']} converter wrote no file"
        )
    write_signature(path, signature)
    return {}
