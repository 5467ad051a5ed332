"""The light models of the `onnx` package with weights that make them work: `light:squeezenet`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from exporters import artifact
from exporters.model_file import open_model
from nasprof.subjects._subject import Subject, shown
from profiler.core.errors import InputError, UnavailableError
from profiler.core.tensor import TensorSpec

if TYPE_CHECKING:
    from torch import nn

_PREFIX = "light:"
_FOLDER = Path("backend/test/data/light")


@dataclass(frozen=True, slots=True)
class LightSource:
    """Old models of opset 9 and IR 3; as they come all weights are one constant.

    With those every output is flat and no error shows, so random weights take their place.
    """

    example: str = "light:squeezenet"

    def claims(self, reference: str) -> bool:
        """References that begin with `light:`."""
        return reference.startswith(_PREFIX)

    def resolve(self, reference: str, inputs: tuple[TensorSpec, ...] | None) -> Subject:
        """Find the model and write its copy with weights, once.

        Raises: InputError when there is none of that name, UnavailableError without the models.
        """
        name = reference.removeprefix(_PREFIX)
        there = _models()
        if name not in there:
            raise InputError(f"unknown light model {shown(name)}; there are: {', '.join(there)}")
        model = open_model(_with_weights(there[name]))

        def build(seed: int) -> nn.Module:
            return _refuse(reference)

        return Subject(
            text=reference,
            inputs=inputs or model.inputs,
            build=build,
            source=model.sha256,
            trained=True,
            path=model.path,
        )


def _models() -> dict[str, Path]:
    found = find_spec("onnx")
    places = list(found.submodule_search_locations or ()) if found else []
    files = sorted(file for place in places for file in (Path(place) / _FOLDER).glob("*.onnx"))
    if not files:
        raise UnavailableError("this build of onnx has no light models; pip install onnx")
    return {file.stem.removeprefix("light_"): file for file in files}


def _with_weights(source: Path) -> Path:
    import platformdirs

    from exporters import random_weights

    folder = Path(platformdirs.user_cache_dir("nasprof", appauthor=False)) / "light"
    code = Path(random_weights.__file__).read_bytes()
    parts = [source.name.encode(), source.read_bytes(), version("onnx").encode(), code]
    key = hashlib.sha256(b"\0".join(parts)).hexdigest()
    made = artifact.keep(folder, key, "model.onnx", partial(random_weights.write, source))
    return made.path


def _refuse(text: str) -> NoReturn:
    raise InputError(f"{text} is an ONNX model; this needs a network that can be built in torch")


PLUGIN = LightSource()
