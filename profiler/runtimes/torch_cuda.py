"""torch on an NVIDIA GPU: eager, compiled, or replayed as a CUDA graph."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from exporters.formats._format import TORCH_PROGRAM
from profiler.core.errors import UnavailableError
from profiler.core.target import Target
from profiler.gpu import find
from profiler.runtimes._runtime import TORCH_PRECISIONS, RuntimeInfo

if TYPE_CHECKING:
    from profiler.runtimes._torch import TorchSession


@dataclass(frozen=True, slots=True)
class TorchCuda:
    """torch with CUDA; a network that cannot run on the GPU fails, none falls back."""

    def probe(self) -> RuntimeInfo:
        """Available where NVML sees a GPU and torch was built for CUDA and can use it."""
        try:
            name = find().name
        except UnavailableError as error:
            return _missing(None, str(error), "run on a machine with an NVIDIA GPU and its driver")
        import torch

        if not torch.cuda.is_available():
            return _missing(
                name,
                f"torch {torch.__version__} cannot use the GPU",
                "install a torch built for a CUDA that the driver supports",
            )
        return RuntimeInfo(
            True,
            torch.__version__,
            name,
            format=TORCH_PROGRAM,
            kind="cuda",
            precisions=TORCH_PRECISIONS,
        )

    def load(self, model: Path, target: Target) -> TorchSession:
        """Load a program on the GPU; raises UnavailableError where there is none."""
        from profiler.runtimes._torch import load

        find()
        return load(model, target, ("eager", "compile", "graph"))


def _missing(device: str | None, reason: str, remedy: str) -> RuntimeInfo:
    return RuntimeInfo(
        False, version("torch"), device, reason, remedy, format=TORCH_PROGRAM, kind="cuda"
    )


PLUGIN = TorchCuda()
