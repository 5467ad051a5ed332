"""An ONNX file from outside: `path/to/model.onnx`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from exporters.model_file import open_model
from nasprof.subjects._subject import Subject, place
from profiler.core.errors import InputError
from profiler.core.tensor import TensorSpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class OnnxFileSource:
    """A model that needs no export; it is checked here and loaded in workers only."""

    example: str = "model.onnx"

    def claims(self, reference: str) -> bool:
        """Paths that end in `.onnx`."""
        return reference.lower().endswith(".onnx")

    def resolve(self, reference: str, inputs: tuple[TensorSpec, ...] | None) -> Subject:
        """Open and check the file.

        Raises: ModelError when it is missing, damaged or unsafe.
        """
        model = open_model(Path(reference))
        text = place(model.path)

        def build(seed: int) -> nn.Module:
            return _refuse(text)

        return Subject(
            text=text,
            inputs=inputs or model.inputs,
            build=build,
            source=model.sha256,
            trained=True,
            path=model.path,
        )


def _refuse(text: str) -> NoReturn:
    raise InputError(f"{text} is an ONNX model; this needs a network that can be built in torch")


PLUGIN = OnnxFileSource()
