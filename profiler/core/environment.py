"""The machine that a number belongs to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """What stays the same of a GPU between two comparable measurements; None means unknown.

    Unit: bytes, W and MHz as named. `cuda_driver` is the newest CUDA that the driver supports,
    `locked_mhz` the clock that nasprof held the multiprocessors at.
    """

    name: str
    driver: str
    cuda_driver: str | None
    memory_bytes: int | None
    power_limit_w: float | None
    max_sm_mhz: int | None
    ecc: bool | None
    mig: bool | None
    persistence: bool | None
    locked_mhz: int | None = None


@dataclass(frozen=True, slots=True)
class GpuState:
    """What changes of a GPU from minute to minute; None means unknown.

    Unit: MHz, degrees Celsius, W and bytes as named. `held_back` is NVML's bit mask of clocks event
    reasons, `processes` counts processes that compute on the GPU.
    """

    sm_mhz: int | None
    memory_mhz: int | None
    temperature_c: float | None
    power_w: float | None
    held_back: int | None
    processes: int | None
    used_bytes: int | None


@dataclass(frozen=True, slots=True)
class Environment:
    """What stays the same between two comparable measurements; None means unknown, never "fine".

    Unit: bytes as named; `cpu_quota` in cores. `versions` are (distribution, version) pairs.
    """

    cpu_model: str | None
    cores_online: int
    cores_allowed: tuple[int, ...]
    memory_bytes: int | None
    governor: str | None
    boost: bool | None
    smt: bool | None
    cpu_quota: float | None
    hypervisor: bool | None
    kernel: str
    gpu: GpuFacts | None
    versions: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """A hash of every field: measurements with different keys are never pooled."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What changes from minute to minute, read before and after an attempt; None means unknown.

    Unit: `load` in runnable tasks (1 minute mean), pressures in percent stalled over 10 s,
    frequency in MHz, temperature in degrees Celsius, `cpu_quota` in cores. `steal_s` is what the
    host took from all cores, `throttled_s` what the quota took, `monotonic_s` and `boot_s` the
    clocks without and with suspension: all since some fixed moment, so only differences mean
    anything.
    """

    load: float | None
    cpu_pressure: float | None
    frequency_mhz: float | None
    temperature_c: float | None
    memory_pressure: float | None = None
    io_pressure: float | None = None
    cores_online: int | None = None
    cores_allowed: tuple[int, ...] | None = None
    governor: str | None = None
    cpu_quota: float | None = None
    steal_s: float | None = None
    throttled_s: float | None = None
    monotonic_s: float | None = None
    boot_s: float | None = None
    gpu: GpuState | None = None
