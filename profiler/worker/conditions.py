"""Read what changes on a machine from minute to minute; what cannot be read is None."""

from __future__ import annotations

import os
from pathlib import Path

from profiler.core.environment import Conditions


def read_conditions() -> Conditions:
    """Read load, CPU pressure, frequency and temperature as they are now."""
    return Conditions(
        load=os.getloadavg()[0],
        cpu_pressure=_pressure(),
        frequency_mhz=_scaled("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"),
        temperature_c=_scaled("/sys/class/thermal/thermal_zone0/temp"),
    )


def _pressure() -> float | None:
    try:
        line = Path("/proc/pressure/cpu").read_text().split("\n", 1)[0]
    except OSError:
        return None
    return float(line.split()[1].removeprefix("avg10="))


def _scaled(path: str) -> float | None:
    """Thousandths (kHz, millidegrees) as the unit itself."""
    try:
        return int(Path(path).read_text()) / 1000
    except (OSError, ValueError):
        return None
