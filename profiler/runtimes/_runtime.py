"""What a runtime plug-in is: `PLUGIN: Runtime`, imported only inside a worker process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from exporters.formats._format import ONNX
from profiler.core.kernels import KernelTimes
from profiler.core.outcome import Placement
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec

TORCH_PRECISIONS = ("fp32", "fp16", "bf16")
Array = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """What a probe found; `reason` says why it can't be used here, `remedy` what to do about it.

    `format` names what the runtime loads: `onnx`, or a format that a model is converted to first.
    `kind` is `cpu` or `cuda`; `precisions` are those that it can be asked for, `refuses` has others
    that a person may expect, with the reason; `converts` names the format that a model comes in at
    a precision which the runtime does not make itself. `profiles` says that it is a
    `ProfilingRuntime`.
    """

    available: bool
    version: str | None
    device: str | None
    reason: str = ""
    remedy: str = ""
    format: str = ONNX
    kind: str = "cpu"
    precisions: tuple[str, ...] = ("fp32",)
    refuses: Mapping[str, str] = field(default_factory=dict)
    profiles: bool = False
    converts: Mapping[str, str] = field(default_factory=dict)


Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class DeviceCall:
    """An inference on a device that works while the host goes on.

    `begin` and `end` mark the device's own timeline, `run` hands it one inference, `wait` returns
    when the mark of `end` was passed; `device_ns` is then the time between the marks. `transfer`
    copies the inputs to the device and the outputs back, which the inference itself does not.
    """

    begin: Call
    run: Call
    end: Call
    wait: Call
    device_ns: Callable[[], int]
    transfer: Call

    def __call__(self) -> None:
        """Run one inference and wait for it."""
        self.begin()
        self.run()
        self.end()
        self.wait()


@dataclass(frozen=True, slots=True)
class FarSamples:
    """What a command measured, one entry a sample; what it does not tell is empty.

    Unit: ns a sample. `switches` are involuntary context switches, `faults` major page faults.
    """

    wall_ns: tuple[int, ...]
    cpu_ns: tuple[int, ...] = ()
    switches: tuple[int, ...] = ()
    faults: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FarCall:
    """An inference in another process, or on another machine, that takes its times itself.

    `times_ns` asks for so many samples of so many runs each.
    """

    times_ns: Callable[[int, int], FarSamples]

    def __call__(self) -> None:
        """Run one inference and wait for it."""
        self.times_ns(1, 1)


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

    def bind(self, feeds: Mapping[str, Array]) -> Call:
        """Bind the inputs once, outside the timed region; the result runs one inference.

        For a device that works on its own it is a `DeviceCall`, for a command a `FarCall`.
        """
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


class Recorder(Protocol):
    """A session whose every inference the runtime's own profiler records."""

    @property
    def session(self) -> Session:
        """What to run."""
        ...

    @property
    def nodes(self) -> int:
        """About how many kernels one inference records."""
        ...

    @property
    def resolution_ns(self) -> int:
        """The step of the profiler's clock."""
        ...

    def stop(self, kept: Sequence[int]) -> tuple[KernelTimes, ...]:
        """End recording and return the kernels of the inferences with these numbers, from 0.

        Raises: ModelError when the profiler did not record all of them.
        """
        ...


class ProfilingRuntime(Runtime, Protocol):
    """A runtime that can record how long each of its kernels takes."""

    def record(self, model: Path, target: Target, folder: Path) -> Recorder:
        """Load a model for recording; files may be written to the folder. Raises: as `load`."""
        ...
