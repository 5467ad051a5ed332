"""Read what changes on a machine from minute to minute; what cannot be read is None."""

from __future__ import annotations

import os
import time
from pathlib import Path

from profiler.core.environment import Conditions
from profiler.gpu import Gpu

_CPU0 = "/sys/devices/system/cpu/cpu0/cpufreq"


def read_conditions(gpu: Gpu | None = None) -> Conditions:
    """Read load, pressure, clocks, temperature, and what may be used and was taken, as of now."""
    return Conditions(
        load=os.getloadavg()[0],
        cpu_pressure=_pressure("cpu"),
        frequency_mhz=_scaled(f"{_CPU0}/scaling_cur_freq"),
        temperature_c=_scaled("/sys/class/thermal/thermal_zone0/temp"),
        memory_pressure=_pressure("memory"),
        io_pressure=_pressure("io"),
        cores_online=os.cpu_count(),
        cores_allowed=tuple(sorted(os.sched_getaffinity(0))),
        governor=governor(),
        cpu_quota=cpu_quota(),
        steal_s=_steal_s(),
        throttled_s=_throttled_s(),
        monotonic_s=time.clock_gettime(time.CLOCK_MONOTONIC),
        boot_s=time.clock_gettime(time.CLOCK_BOOTTIME),
        gpu=gpu.state() if gpu else None,
    )


def governor() -> str | None:
    """The rule by which the first core's frequency is chosen."""
    return (_text(f"{_CPU0}/scaling_governor") or "").strip() or None


def cpu_quota() -> float | None:
    """CPU quota of the control group in cores; None when there is none or it is unknown."""
    fields = (_text("/sys/fs/cgroup/cpu.max") or "").split()
    if len(fields) != 2 or fields[0] == "max":
        return None
    return int(fields[0]) / int(fields[1])


def busy_ticks() -> int | None:
    """Busy clock ticks of all cores since boot, what the host took among them; None if unknown."""
    fields = [int(value) for value in _first_line("/proc/stat").split()[1:9]]
    return sum(fields) - fields[3] - fields[4] if len(fields) == 8 else None


def _pressure(resource: str) -> float | None:
    """Share of the last 10 s in which some task waited for the resource, in percent."""
    fields = (_text(f"/proc/pressure/{resource}") or "").split()
    return float(fields[1].removeprefix("avg10=")) if len(fields) > 1 else None


def _steal_s() -> float | None:
    fields = _first_line("/proc/stat").split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK") if len(fields) > 8 else None


def _throttled_s() -> float | None:
    for line in (_text("/sys/fs/cgroup/cpu.stat") or "").splitlines():
        if line.startswith("throttled_usec"):
            return int(line.split()[1]) / 1e6
    return None


def _scaled(path: str) -> float | None:
    """Thousandths (kHz, millidegrees) as the unit itself."""
    try:
        return int(_text(path) or "") / 1000
    except ValueError:
        return None


def _first_line(path: str) -> str:
    return (_text(path) or "").split("\n", 1)[0]


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text()
    except OSError:
        return None
