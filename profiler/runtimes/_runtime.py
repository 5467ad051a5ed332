"""What a runtime plug-in is: `PLUGIN: Runtime`, imported only inside a worker process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from profiler.core.outcome import Placement
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec

Array = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """What a probe found; `reason` says why it can't be used here, `remedy` what to do about it."""

    available: bool
    version: str | None
    device: str | None
    reason: str = ""
    remedy: str = ""


class Session(Protocol):
    """A model that is loaded and ready to run."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs in the model's order, symbolic dimensions as text."""
        ...

    @property
    def placement(self) -> tuple[Placement, ...]:
        """Where the nodes really run, read back from the runtime."""
        ...

    @property
    def effective(self) -> tuple[tuple[str, str], ...]:
        """Settings read back from the runtime: threads, providers, options."""
        ...

    def bind(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        """Bind the inputs once, outside the timed region; the result runs one inference."""
        ...

    def outputs(self) -> dict[str, Array]:
        """Copies of the outputs of the last inference."""
        ...


class Runtime(Protocol):
    """An inference runtime."""

    def probe(self) -> RuntimeInfo:
        """Say whether it can be used here; never raises for a missing library or device."""
        ...

    def load(self, model: Path, target: Target) -> Session:
        """Load a model. Raises: UnavailableError, ModelError or whatever the runtime raises."""
        ...
