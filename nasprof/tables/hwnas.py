"""HW-NAS-Bench as its authors release it: one pickle of latencies and energies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasprof.tables._reader import Content, Series
from nasprof.tables._unpickle import unpickle
from profiler.core.errors import InputError

UNITS = {"latency": "ms", "energy": "mJ"}


@dataclass(frozen=True, slots=True)
class HwNasReader:
    """Reads the NAS-Bench-201 part by data set, and the FBNet part as costs of layers.

    FBNet's figures are sums over layers: its table has one row a layer, by the published key.
    Source: the released API of Li et al., ICLR 2021; latency of one image.
    """

    name: str = "hwnas"
    title: str = "HW-NAS-Bench"
    takes: str = "HW-NAS-Bench-v1_0.pickle"

    def read(self, files: Sequence[Path]) -> tuple[Content, ...]:
        """Read one file.

        Raises: InputError when it is no such file.
        """
        if len(files) != 1:
            raise InputError(f"{self.title} is one file: {self.takes}")
        with files[0].open("rb") as file:
            data = unpickle(file, str(files[0]))
        parts = {"nasbench201": _nasbench201, "fbnet": _fbnet}
        found = [part for part in parts if isinstance(data, dict) and data.get(part)]
        if not found:
            raise InputError(f"{files[0]} is not {self.title}: it has none of {', '.join(parts)}")
        try:
            return tuple(parts[part](data[part]) for part in found)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(f"{files[0]} is not {self.title}: {error!r}") from None


def _nasbench201(data: Mapping[str, Mapping[str, Any]]) -> Content:
    configs = next(iter(data.values()))["config"]
    columns = [
        Series("index", list(range(len(configs)))),
        Series("arch", [str(config["arch_str"]) for config in configs]),
    ]
    for dataset, metrics in data.items():
        for metric, values in metrics.items():
            device, _, kind = metric.partition("_")
            if kind in UNITS:
                name = f"{dataset}.{device}.{kind}"
                if len(values) != len(configs):
                    raise ValueError(f"{name} has {len(values)} values for {len(configs)} cells")
                numbers = [float(value) for value in values]
                columns.append(Series(name, numbers, UNITS[kind], kind, device))
    return Content("nasbench201", tuple(columns))


def _fbnet(data: Mapping[str, Mapping[str, float]]) -> Content:
    keys = list(dict.fromkeys(key for layers in data.values() for key in layers))
    columns = [Series("key", keys)]
    for metric, layers in data.items():
        device, _, kind = metric.partition("_")
        if kind in UNITS:
            costs = [float(layers[key]) if key in layers else None for key in keys]
            columns.append(Series(f"{device}.{kind}", costs, UNITS[kind], kind, device))
    return Content("fbnet", tuple(columns), {"rows": "layers"})


PLUGIN = HwNasReader()
