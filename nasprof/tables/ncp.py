"""NAS-Bench-MR as its authors release it: one `trainval.pkl` a task setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasprof.tables._reader import Content, Series
from nasprof.tables._unpickle import unpickle
from profiler.core.errors import InputError

INTEGERS = 27


def _gene_names() -> tuple[str, ...]:
    names = ["i1", "i2"]
    for k in range(1, 5):
        names += [f"b{k}"]
        names += [f"{kind}{k}_{j}" for kind in "nc" for j in range(1, k + 1)]
    return (*names, "o1")


@dataclass(frozen=True, slots=True)
class NcpReader:
    """Reads the pickled lists of rows with `embedding`, `flops`, `params` and metrics.

    Source: the released data and data set code of Ding et al., ICLR 2022.
    """

    name: str = "ncp"
    title: str = "NAS-Bench-MR (NCP)"
    takes: str = "one or more trainval.pkl, each in the folder of its setting (seg/trainval.pkl)"

    def read(self, files: Sequence[Path]) -> tuple[Content, ...]:
        """Join the settings by architecture; a metric's column is `setting.metric`.

        Raises: InputError when a file is no such list.
        """
        codes: dict[tuple[int, ...], Mapping[str, Any]] = {}
        metrics: dict[str, dict[tuple[int, ...], float]] = {}
        for path in files:
            for row in _rows(path):
                code = tuple(round(float(value)) for value in row["embedding"])
                codes.setdefault(code, row)
                for metric, value in row.items():
                    if metric not in ("embedding", "flops", "params"):
                        column = metrics.setdefault(f"{path.parent.name}.{metric}", {})
                        column[code] = float(value)
        return (_content(codes, metrics),)


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        rows = unpickle(file, str(path))
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{path} is no trainval.pkl: it holds no list of rows")
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or len(row.get("embedding", ())) != INTEGERS:
            raise InputError(
                f"{path}, row {number + 1}: it has no embedding of {INTEGERS} integers; only the "
                "multi-resolution settings are read"
            )
    return rows


def _content(
    codes: Mapping[tuple[int, ...], Mapping[str, Any]],
    metrics: Mapping[str, Mapping[tuple[int, ...], float]],
) -> Content:
    columns = [
        Series(name, [code[place] for code in codes]) for place, name in enumerate(_gene_names())
    ]
    for name, column, unit in (("flops", "gflops", "1e9"), ("params", "mparams", "1e6")):
        if all(name in row for row in codes.values()):
            values = [float(row[name]) for row in codes.values()]
            columns.append(Series(column, values, unit, name))
    for metric, values_of in metrics.items():
        values_or_none = [values_of.get(code) for code in codes]
        columns.append(Series(metric, values_or_none, "%", "accuracy"))
    return Content("nasbench-mr", tuple(columns))


PLUGIN = NcpReader()
