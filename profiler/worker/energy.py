"""Energy of the rounds from the meters that a machine has: RAPL for a CPU, NVML for a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from profiler.core.outcome import Energy, Round
from profiler.gpu import Gpu

POWERCAP = Path("/sys/class/powercap")
# Of what the meter draws idle: long beside RAPL's update each ms and NVML's each 100 ms.
_IDLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Meter:
    """Something that counts joules. `read` gives those since any one moment, never fewer."""

    name: str
    read: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Metered:
    """A meter with the watts that it showed before a model was loaded."""

    meter: Meter
    idle_w: float


def find_meter(gpu: Gpu | None, powercap: Path = POWERCAP) -> Meter | None:
    """The meter of a GPU where one is used, else of the CPU packages; None where none can be read.

    RAPL needs the right to read `energy_uj`, which most distributions give to root alone.
    Source: Linux, Documentation/power/powercap; NVML, nvmlDeviceGetTotalEnergyConsumption.
    """
    if gpu is not None:
        return None if gpu.energy_mj() is None else Meter("NVML", lambda: _nvml_j(gpu))
    packages = [_Package(zone) for zone in sorted(powercap.glob("intel-rapl:*")) if _is_cpu(zone)]
    if not packages:
        return None
    return Meter("RAPL", lambda: sum(package.read_j() for package in packages))


def idle(meter: Meter | None) -> Metered | None:
    """Let the meter run for a second in which this process does nothing."""
    if meter is None:
        return None
    before, start = meter.read(), time.perf_counter()
    time.sleep(_IDLE_S)
    return Metered(meter, (meter.read() - before) / (time.perf_counter() - start))


def spend(
    metered: Metered | None, take: Callable[[], list[Round]]
) -> tuple[list[Round], Energy | None]:
    """Take rounds, and say what they took from the meter."""
    if metered is None:
        return take(), None
    before, start = metered.meter.read(), time.perf_counter()
    rounds = take()
    joules, seconds = metered.meter.read() - before, time.perf_counter() - start
    runs = sum(len(block.wall_ns) * block.runs_per_sample for block in rounds)
    return rounds, Energy(metered.meter.name, joules, seconds, runs, metered.idle_w)


class _Package:
    """The counter of one CPU package, which starts again at zero after its largest value."""

    def __init__(self, zone: Path) -> None:
        self._counter = zone / "energy_uj"
        self._range_uj = _number(zone / "max_energy_range_uj")
        self._last_uj = _number(self._counter)
        self._turns = 0

    def read_j(self) -> float:
        now_uj = _number(self._counter)
        self._turns += now_uj < self._last_uj
        self._last_uj = now_uj
        return (now_uj + self._turns * self._range_uj) / 1e6


def _is_cpu(zone: Path) -> bool:
    """A readable package; its parts are within it, and `psys` is the whole board."""
    try:
        _number(zone / "energy_uj")
        return (zone / "name").read_text().startswith("package")
    except (OSError, ValueError):
        return False


def _number(path: Path) -> int:
    return int(path.read_text())


def _nvml_j(gpu: Gpu) -> float:
    return (gpu.energy_mj() or 0) / 1e3
