"""The machine that a number belongs to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


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
    gpu: str | None
    gpu_driver: str | None
    versions: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """A hash of every field: measurements with different keys are never pooled."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What changes from minute to minute, read before and after an attempt; None means unknown.

    Unit: `load` in runnable tasks (1 minute mean), `cpu_pressure` in percent stalled over 10 s,
    `steal` in cores, frequency in MHz, temperature in degrees Celsius.
    """

    load: float | None
    cpu_pressure: float | None
    frequency_mhz: float | None
    temperature_c: float | None
