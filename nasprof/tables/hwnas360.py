"""Measured runtimes of all NAS-Bench-201 cells on a Raspberry Pi 5: one `.npz` file."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nasprof.tables._reader import Content, Series
from profiler.core.errors import InputError

METRICS = {"latency_ms": ("latency", "ms"), "energy_mj": ("energy", "mJ")}


@dataclass(frozen=True, slots=True)
class HwNas360Reader:
    """Reads latency and energy of each combination of device, runtime and task.

    Cells with the same `representative` were measured once: split data by it, never by row.
    """

    name: str = "hwnas360"
    title: str = "HW-NAS-Bench-360 runtimes"
    takes: str = "nasbench201_pi5_runtime.npz (combo, latency_ms, energy_mj, representative)"

    def read(self, files: Sequence[Path]) -> tuple[Content, ...]:
        """Read one file.

        Raises: InputError when it is no such file.
        """
        if len(files) != 1:
            raise InputError(f"{self.title} are one file: {self.takes}")
        data = _arrays(files[0])
        count = len(data["representative"])
        columns = [
            Series("index", list(range(count))),
            Series("representative", data["representative"].tolist()),
        ]
        for place, combo in enumerate(str(name) for name in data["combo"]):
            device = combo.replace("/", "-")
            for array, (metric, unit) in METRICS.items():
                values = data[array][place].astype(float).tolist()
                if len(values) != count:
                    raise InputError(f"{files[0]}: {array} has {len(values)} cells of {count}")
                columns.append(Series(f"{device}.{metric}", values, unit, metric, device))
        return (Content("nasbench201", tuple(columns)),)


def _arrays(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("combo", "representative", *METRICS)}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} holds no such runtimes ({error})") from None


PLUGIN = HwNas360Reader()
