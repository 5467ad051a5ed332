"""HELP's measured latencies as its authors release them: one file a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasprof.tables._reader import Content, Series
from nasprof.tables._torch_file import load_torch_file
from profiler.core.errors import InputError

ARCH_FILES = {"metainfo.pt": "fbnet", "ofa_archs.pt": "ofa-mobilenetv3"}
SIZE_OF_NASBENCH201 = 15_625


@dataclass(frozen=True, slots=True)
class HelpReader:
    """Reads latencies of NAS-Bench-201 (by index), FBNet and once-for-all networks.

    A device's name ends with the batch size where there are several.
    Source: the released data and loader of Lee et al., NeurIPS 2021.
    """

    name: str = "help"
    title: str = "HELP latencies"
    takes: str = "latency/*.pt of one space, with metainfo.pt for FBNet, ofa_archs.pt for OFA"

    def read(self, files: Sequence[Path]) -> tuple[Content, ...]:
        """Read the devices of one space.

        Raises: InputError when files are of another kind, or do not belong together.
        """
        listed = [path for path in files if path.name in ARCH_FILES]
        devices = [path for path in files if path.name not in ARCH_FILES]
        if len(listed) > 1 or not devices:
            raise InputError(f"{self.title} are read one space at a time: {self.takes}")
        latencies = {path.stem: _latencies(path) for path in devices}
        lengths = {len(values) for values in latencies.values()}
        if len(lengths) > 1:
            raise InputError(f"the devices have different numbers of networks: {sorted(lengths)}")
        space = ARCH_FILES[listed[0].name] if listed else "nasbench201"
        count = lengths.pop()
        columns = _archs(listed[0], count) if listed else _indices(count)
        columns += [
            Series(device, values, "ms", "latency", device) for device, values in latencies.items()
        ]
        return (Content(space, tuple(columns)),)


def _latencies(path: Path) -> list[float]:
    found = load_torch_file(path)
    try:
        return [float(value) for value in found]
    except (TypeError, ValueError):
        raise InputError(f"{path} is no list of latencies") from None


def _indices(count: int) -> list[Series]:
    if count != SIZE_OF_NASBENCH201:
        raise InputError(
            f"the files hold {count} networks, NAS-Bench-201 has {SIZE_OF_NASBENCH201}; "
            f"add {' or '.join(ARCH_FILES)} for another space"
        )
    return [Series("index", list(range(count)))]


def _archs(path: Path, count: int) -> list[Series]:
    found = load_torch_file(path)
    archs = found.get("arch") if isinstance(found, dict) else None
    if not isinstance(archs, list) or len(archs) < count:
        raise InputError(f"{path} does not list the {count} networks of the latencies")
    try:
        return _fbnet(archs[:count]) if path.name == "metainfo.pt" else _ofa(archs[:count])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} lists networks in another form ({error!r})") from None


def _fbnet(archs: list[Mapping[str, Any]]) -> list[Series]:
    return [Series("arch", ["-".join(str(int(op)) for op in a["op_idx_list"]) for a in archs])]


def _ofa(archs: list[Mapping[str, Any]]) -> list[Series]:
    lists = {"kernel_size": "ks", "expand_ratio": "e", "depth": "d"}
    columns = [Series(name, [_integers(a[key]) for a in archs]) for name, key in lists.items()]
    sizes = [a["r"] for a in archs]
    plain = [int(size[0] if isinstance(size, list | tuple) else size) for size in sizes]
    return [*columns, Series("resolution", plain)]


def _integers(values: Sequence[Any]) -> list[int]:
    return [int(value) for value in values]


PLUGIN = HelpReader()
