"""torch on the CPU: eager, traced and frozen, or compiled by Inductor."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from exporters.formats._format import TORCH_PROGRAM
from profiler.core.target import Target
from profiler.runtimes._runtime import TORCH_PRECISIONS, RuntimeInfo

if TYPE_CHECKING:
    from profiler.runtimes._torch import TorchSession


@dataclass(frozen=True, slots=True)
class TorchCpu:
    """torch as installed; networks only, since it does not read ONNX."""

    def probe(self) -> RuntimeInfo:
        """Always available: nasprof itself needs torch."""
        return RuntimeInfo(
            True, version("torch"), "cpu", format=TORCH_PROGRAM, precisions=TORCH_PRECISIONS
        )

    def load(self, model: Path, target: Target) -> TorchSession:
        """Load a program of torch.export."""
        from profiler.runtimes._torch import load

        return load(model, target, ("eager", "jit", "compile"))


PLUGIN = TorchCpu()
