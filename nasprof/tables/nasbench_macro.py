"""NAS-Bench-Macro as its authors release it: one JSON file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nasprof.tables._reader import Content, Series
from profiler.core.errors import InputError


@dataclass(frozen=True, slots=True)
class NasBenchMacroReader:
    """Reads mean and spread of three test accuracies, parameters and FLOPs.

    Source: the released benchmark of Su et al., CVPR 2021.
    """

    name: str = "nasbench-macro"
    title: str = "NAS-Bench-Macro"
    takes: str = "nas-bench-macro_cifar10.json"

    def read(self, files: Sequence[Path]) -> tuple[Content, ...]:
        """Read one file.

        Raises: InputError when it is no such file.
        """
        if len(files) != 1:
            raise InputError(f"{self.title} is one file: {self.takes}")
        try:
            data = json.loads(files[0].read_text(encoding="utf-8"))
            columns = (
                Series("arch", list(data)),
                Series("test", _column(data, "mean_acc"), "%", "accuracy"),
                Series("test_std", _column(data, "std"), "%", "spread"),
                Series("params", [int(row["params"]) for row in data.values()], None, "params"),
                Series("flops", [int(row["flops"]) for row in data.values()], None, "flops"),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{files[0]} is not {self.title} ({error!r})") from None
        if not data:
            raise InputError(f"{files[0]} holds no architectures")
        return (Content("nasbench-macro", columns),)


def _column(data: dict[str, dict[str, float]], name: str) -> list[float]:
    return [float(row[name]) for row in data.values()]


PLUGIN = NasBenchMacroReader()
