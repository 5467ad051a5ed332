"""The table of machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import ascii_uppercase

from profiler.core.environment import Environment, GpuFacts
from reports.grids import Cell, Grid
from reports.quantities import UNKNOWN, shown


def environment_letters(keys: Iterable[str]) -> dict[str, str]:
    """A letter for each environment."""
    return {
        key: ascii_uppercase[number] if number < 26 else f"E{number}"
        for number, key in enumerate(keys)
    }


def environment_grid(environments: Sequence[tuple[str, Environment]]) -> Grid:
    """A column for each environment; a value that is not known says so."""
    fields = [(name, [_environment_value(e, name) for _, e in environments]) for name in _FIELDS]
    lines = tuple(
        (Cell(_FIELDS[name]), *(Cell(value) for value in values)) for name, values in fields
    )
    return Grid((("", ""), *((f"Environment {letter}", "") for letter, _ in environments)), lines)


def environment_lines(environment: Environment) -> list[str]:
    """The same as sentences."""
    return [f"{title}: {_environment_value(environment, name)}" for name, title in _FIELDS.items()]


_FIELDS = {
    "cpu_model": "CPU",
    "cores_online": "cores online",
    "cores_allowed": "cores allowed",
    "memory_bytes": "memory",
    "governor": "frequency governor",
    "boost": "frequency boost",
    "smt": "two threads a core",
    "cpu_quota": "CPU quota",
    "hypervisor": "virtual machine",
    "kernel": "kernel",
    "gpu": "GPU",
    "versions": "versions",
}


def _environment_value(environment: Environment, name: str) -> str:
    value = getattr(environment, name)
    if value is None:
        return "none found" if name == "gpu" else UNKNOWN
    if name == "memory_bytes":
        return f"{value / 2**30:.2f} GiB"
    if name == "versions":
        return ", ".join(f"{shown(package, 60)} {shown(version, 60)}" for package, version in value)
    if name == "cores_allowed":
        return f"{len(value)} ({', '.join(map(str, value[:16]))}{', …' if len(value) > 16 else ''})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _gpu(value) if isinstance(value, GpuFacts) else shown(str(value))


def _gpu(gpu: GpuFacts) -> str:
    """What a person compares: the card, its driver, and what changes its speed."""
    parts = [f"driver {shown(gpu.driver)}"]
    parts += [] if gpu.memory_bytes is None else [f"{gpu.memory_bytes / 2**30:.1f} GiB"]
    parts += [] if gpu.power_limit_w is None else [f"power limit {gpu.power_limit_w:.0f} W"]
    parts += [] if gpu.max_sm_mhz is None else [f"up to {gpu.max_sm_mhz} MHz"]
    flags = (("ECC", gpu.ecc), ("MIG", gpu.mig), ("persistence mode", gpu.persistence))
    parts += [f"{name} {'on' if on else 'off'}" for name, on in flags if on is not None]
    return f"{shown(gpu.name)}: {', '.join(parts)}"
