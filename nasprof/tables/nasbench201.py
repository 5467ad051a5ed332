"""NAS-Bench-201 as its authors release it: one `.pth` file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nasprof.tables._arch_results import content, values
from nasprof.tables._reader import Content
from nasprof.tables._torch_file import load_torch_file
from profiler.core.errors import InputError

SCHEDULES = {"less": "12", "full": "200"}


@dataclass(frozen=True, slots=True)
class NasBench201Reader:
    """Reads `meta_archs` and `arch2infos`; means over seeds.

    Source: the released code of Dong and Yang, ICLR 2020.
    """

    name: str = "nasbench201"
    title: str = "NAS-Bench-201"
    takes: str = "NAS-Bench-201-v1_1-096897.pth (or v1_0)"

    def read(self, files: Sequence[Path]) -> tuple[Content, ...]:
        """Read one file.

        Raises: InputError when it is no such file.
        """
        if len(files) != 1:
            raise InputError(f"{self.title} is one file: {self.takes}")
        data = load_torch_file(files[0])
        if not isinstance(data, dict) or not {"meta_archs", "arch2infos"} <= data.keys():
            raise InputError(f"{files[0]} is not {self.title}: it has no meta_archs and arch2infos")
        rows = {}
        for index, schedules in data["arch2infos"].items():
            rows[int(index)] = {
                name: value
                for key, results in schedules.items()
                for name, value in values(results, SCHEDULES.get(key, key)).items()
            }
        return (content(data["meta_archs"], rows),)


PLUGIN = NasBench201Reader()
