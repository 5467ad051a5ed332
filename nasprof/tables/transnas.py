"""TransNAS-Bench-101 as its authors release it: one `.pth` file for both spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasprof.tables._reader import Content, Series
from nasprof.tables._torch_file import load_torch_file
from profiler.core.errors import InputError

UNITS = {
    "inference_time": "s",
    "encoder_params": None,
    "model_params": None,
    "encoder_FLOPs": None,
    "model_FLOPs": None,
}
PERCENT = ("top1", "top5", "acc", "mIoU", "ssim")


@dataclass(frozen=True, slots=True)
class TransNasReader:
    """Reads every task: validation and test metrics at the last and at the best epoch, costs.

    Best is the highest value, for a loss that is not negated the lowest.
    Source: the released API of Duan et al., CVPR 2021.
    """

    name: str = "transnas"
    title: str = "TransNAS-Bench-101"
    takes: str = "transnas-bench_v10141024.pth"

    def read(self, files: Sequence[Path]) -> tuple[Content, ...]:
        """Read one file into a table for `micro` and one for `macro`.

        Raises: InputError when it is no such file.
        """
        if len(files) != 1:
            raise InputError(f"{self.title} is one file: {self.takes}")
        data = load_torch_file(files[0])
        try:
            spaces = data["data"]
            return tuple(
                _content(f"transnas-{space}", archs) for space, archs in spaces.items() if archs
            )
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise InputError(f"{files[0]} is not {self.title}: {error!r} is missing") from None


def _content(space: str, archs: Mapping[str, Mapping[str, Any]]) -> Content:
    rows = [
        {name: value for task, found in tasks.items() for name, value in _row(task, found).items()}
        for tasks in archs.values()
    ]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [Series("arch", list(archs))]
    for name in names:
        unit, metric = _kind(name)
        device = "gpu" if metric == "latency" else None
        columns.append(Series(name, [row.get(name) for row in rows], unit, metric, device))
    return Content(space, tuple(columns))


def _row(task: str, found: Mapping[str, Any]) -> dict[str, float]:
    row: dict[str, float] = {
        f"{task}.{name}": float(value)
        for name, value in found["model_info"].items()
        if name in UNITS
    }
    for metric, epochs in found["metrics"].items():
        if metric.startswith(("valid", "val_", "test")):
            scores = [float(score) for score in epochs]
            lower = metric.endswith("loss") and not metric.endswith("neg_loss")
            row[f"{task}.{metric}.final"] = scores[-1]
            row[f"{task}.{metric}.best"] = min(scores) if lower else max(scores)
    return row


def _kind(name: str) -> tuple[str | None, str]:
    info = name.partition(".")[2]
    if info in UNITS:
        return UNITS[info], "latency" if info == "inference_time" else info
    metric = info.rpartition(".")[0]
    if metric.endswith("loss"):
        return None, "loss"
    return None, "accuracy" if metric.endswith(PERCENT) else metric


PLUGIN = TransNasReader()
