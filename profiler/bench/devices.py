"""What can be measured on this machine, asked of each runtime in a worker of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from exporters.formats._format import ONNX
from profiler.core import plugins
from profiler.core.errors import InputError, UnavailableError
from profiler.environments._environment import install_command, installed, of_format
from profiler.worker.classify import result_of
from profiler.worker.launch import Job, launch

RUNTIMES = "profiler.runtimes"


@dataclass(frozen=True, slots=True)
class Device:
    """One runtime as found here; `reason` and `remedy` are empty when it is available."""

    runtime: str
    available: bool
    version: str | None
    device: str | None
    reason: str
    remedy: str
    format: str = "onnx"
    kind: str = "cpu"
    precisions: tuple[str, ...] = ("fp32",)
    refuses: Mapping[str, str] = field(default_factory=dict)
    profiles: bool = False
    converts: Mapping[str, str] = field(default_factory=dict)


def probe(runtime: str, deadline_s: float = 60.0) -> Device:
    """Ask one runtime whether it can be used here; a crash while asking is the reason why not."""
    job = Job("probe", {"runtime": runtime}, deadline_s, runtime=runtime)
    found, problem = result_of(launch(job))
    if found is None or problem is not None:
        reason = f"{problem.kind}: {problem.message}" if problem else "no answer"
        return Device(runtime, False, None, None, reason, "reinstall the runtime")
    device = Device(runtime=runtime, **{**found, "precisions": tuple(found["precisions"])})
    converter = of_format(device.format)
    if not device.available or converter is None or installed(converter) is not None:
        return device
    return replace(
        device,
        available=False,
        reason=f"its converter {converter} is not installed",
        remedy=install_command(converter),
    )


@cache
def format_of(runtime: str, precision: str = "fp32") -> str:
    """What a runtime loads: `onnx`, or the name of a format that a model is converted to first.

    Raises: UnavailableError for a runtime that cannot be used here.
    """
    found = _probed(runtime)
    return found.converts.get(precision, found.format)


@cache
def is_converted(runtime: str, precision: str) -> bool:
    """Whether what the runtime loads at a precision is not the model itself.

    Raises: UnavailableError for a runtime that cannot be used here.
    """
    found = _probed(runtime)
    return precision in found.converts or found.format != ONNX


@cache
def _probed(runtime: str) -> Device:
    """What a runtime said of itself, asked once.

    Raises: UnavailableError for one that cannot say: what it loads is then unknown.
    """
    found = probe(runtime)
    if not found.available:
        raise UnavailableError(f"{runtime} cannot be used here: {found.reason}; {found.remedy}")
    return found


def devices() -> list[Device]:
    """Probe every runtime plug-in."""
    return [probe(name) for name in plugins.names(RUNTIMES)]


def require(runtime: str) -> Device:
    """Return the runtime's device.

    Raises: InputError for a name that no plug-in has, UnavailableError with reason and remedy.
    """
    names = plugins.names(RUNTIMES)
    if runtime.partition(":")[0] not in names:
        raise InputError(f"unknown runtime {runtime!r}; the runtimes are: {', '.join(names)}")
    found = probe(runtime)
    if not found.available:
        raise UnavailableError(f"{runtime} cannot be used here: {found.reason}; {found.remedy}")
    return found
