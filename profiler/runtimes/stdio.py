"""A command as a runtime: `stdio:COMMAND`, for a program of any language or a board over ssh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exporters.formats._format import ONNX
from exporters.model_file import open_model
from profiler.core.errors import ModelError, NasprofError
from profiler.core.outcome import FailureKind, Placement
from profiler.core.plain import from_plain
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.runtimes._command import Command
from profiler.runtimes._runtime import Array, FarCall, FarSamples, RuntimeInfo

_REMEDY = "name the command: --on 'stdio:COMMAND' (docs/add-a-runtime.md)"


class FarSession:
    """A model that a command has loaded; the command takes the times."""

    def __init__(self, command: Command, said: dict[str, Any], base_rss_bytes: int) -> None:
        self._command = command
        self._base_rss_bytes = base_rss_bytes
        self.inputs = from_plain(tuple[TensorSpec, ...], said["inputs"])
        self.placement = from_plain(tuple[Placement, ...], said["placement"])
        self.effective = tuple((str(name), str(value)) for name, value in said["effective"])

    @property
    def memory_bytes(self) -> tuple[int, int]:
        """The command's memory before it loaded the model, and its peak."""
        return self._base_rss_bytes, int(self._command.ask("memory")["peak_rss_bytes"])

    def bind(self, feeds: Mapping[str, Array]) -> FarCall:
        """Send the inputs once."""
        arrays = {name: np.ascontiguousarray(value) for name, value in feeds.items()}
        heads = [
            {"name": name, "dtype": a.dtype.name, "shape": a.shape, "size_bytes": a.nbytes}
            for name, a in arrays.items()
        ]
        self._command.ask("bind", [a.tobytes() for a in arrays.values()], inputs=heads)
        return FarCall(self._time)

    def _time(self, samples: int, runs: int) -> FarSamples:
        said = self._command.ask("time", samples=samples, runs=runs)
        found: FarSamples = from_plain(FarSamples, said)
        if len(found.wall_ns) != samples or min(found.wall_ns) <= 0:
            raise ModelError(
                FailureKind.PROTOCOL_ERROR,
                f"asked for {samples} times above 0, the command gives {len(found.wall_ns)}",
            )
        return found

    def outputs(self) -> dict[str, Array]:
        """The outputs of the last inference, sent back as raw bytes."""
        found = {}
        for head in self._command.ask("outputs")["outputs"]:
            data = self._command.read(head["size_bytes"], "outputs")
            array = np.frombuffer(data, head["dtype"]).reshape(head["shape"])
            found[head["name"]] = array.copy()
        return found


@dataclass(frozen=True, slots=True)
class Stdio:
    """The command of one target; without one it cannot be used."""

    command: str = ""

    def made_for(self, command: str) -> Stdio:
        """The runtime of a command."""
        return Stdio(command)

    def probe(self) -> RuntimeInfo:
        """Ask the command what it is."""
        if not self.command:
            return RuntimeInfo(False, None, None, "it stands for a command of yours", _REMEDY)
        try:
            command = Command(self.command)
            said = command.ask("probe")
            command.close()
            return RuntimeInfo(
                True,
                said["version"],
                said["device"],
                format=said.get("format", ONNX),
                precisions=tuple(said.get("precisions", ("fp32",))),
            )
        except (NasprofError, KeyError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else error
            return RuntimeInfo(False, None, None, str(reason), "mend the command")

    def load(self, model: Path, target: Target) -> FarSession:
        """Send the model with every file that belongs to it.

        Raises: ModelError with what the command says.
        """
        command = Command(self.command)
        base_rss_bytes = int(command.ask("memory")["rss_bytes"])
        files = _files(model)
        heads = [
            {"name": f.relative_to(model.parent).as_posix(), "size_bytes": f.stat().st_size}
            for f in files
        ]
        asked = {**asdict(target), "options": dict(target.options)}
        parts = [file.read_bytes() for file in files]
        return FarSession(
            command, command.ask("load", parts, files=heads, target=asked), base_rss_bytes
        )


def _files(model: Path) -> list[Path]:
    """The model first, then its weights outside of it or the other files of its format."""
    if model.suffix == ".onnx":
        return [model, *(model.parent / file.location for file in open_model(model).external)]
    beside = (path for path in model.parent.iterdir() if path.is_file())
    return [model, *sorted(path for path in beside if path != model and path.name != "entry.json")]


PLUGIN = Stdio()
