"""Read the machine that measurements belong to; what cannot be read is None."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from profiler.core.environment import Environment
from profiler.gpu import first
from profiler.worker.conditions import cpu_quota, governor

_LIBRARIES = ("nasprof", "numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "openvino", "torch")


def capture() -> Environment:
    """Read CPU, memory, kernel, GPU and library versions, without importing any library."""
    cpuinfo = _cpuinfo()
    gpu = first()
    return Environment(
        cpu_model=cpuinfo.get("model name"),
        cores_online=os.cpu_count() or 1,
        cores_allowed=tuple(sorted(os.sched_getaffinity(0))),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        governor=governor(),
        boost=_flag("/sys/devices/system/cpu/cpufreq/boost"),
        smt=_flag("/sys/devices/system/cpu/smt/active"),
        cpu_quota=cpu_quota(),
        hypervisor="hypervisor" in cpuinfo["flags"].split() if "flags" in cpuinfo else None,
        kernel=platform.release(),
        gpu=gpu.facts() if gpu else None,
        versions=_versions(),
    )


def _cpuinfo() -> dict[str, str]:
    """Fields of the first processor."""
    first = (_text("/proc/cpuinfo") or "").split("\n\n", 1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _versions() -> tuple[tuple[str, str], ...]:
    found = [("python", platform.python_version())]
    for name in _LIBRARIES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _flag(path: str) -> bool | None:
    text = _text(path)
    return None if text is None else text == "1"
