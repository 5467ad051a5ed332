"""Features of any model, read off its static profile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nasprof.predict._predictor import Array
from profiler.core.cost import GraphCost

_BALANCES = (2.0, 8.0, 32.0)
"""MACs that take as long as a byte, for the features that follow the roofline."""
OTHER = "other"
"""Operator types that too few models have are added up under this name."""
_COMMON = 0.05


def model_features(cost: GraphCost) -> dict[str, float]:
    """What a model does: totals, and nodes, MACs and bytes of each operator type.

    `roof` adds up max(MACs, balance x bytes) node by node: each node is bound by one of the two.
    Source: nn-Meter sums predicted times of kernels; the terms here are what those depend on.
    """
    found: dict[str, float] = {
        "total macs": cost.macs,
        "total bytes": cost.bytes_read + cost.bytes_written,
        "total nodes": float(sum(node.runs for node in cost.nodes)),
        "total weights": cost.weight_bytes,
    }
    for node in cost.nodes:
        macs = float(node.macs or 0)
        moved = float((node.bytes_read or 0) + (node.bytes_written or 0))
        for balance in _BALANCES:
            _add(found, f"roof {balance:g}", max(macs, balance * moved))
        _add(found, f"{node.op_type} nodes", float(node.runs))
        _add(found, f"{node.op_type} bytes", moved)
        if macs:
            _add(found, f"{node.op_type} macs", macs)
    return found


def columns_of(rows: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """The features that the rows share, totals first; what few of them have is `other`."""
    least = max(1, int(np.ceil(_COMMON * len(rows))))
    names = dict.fromkeys(name for row in rows for name in row)
    common = [name for name in names if sum(name in row for row in rows) >= least]
    general = [name for name in common if _general(name)]
    single = sorted(name for name in common if not _general(name))
    return (*general, *single, f"{OTHER} nodes", f"{OTHER} bytes", f"{OTHER} macs")


def matrix(rows: Iterable[Mapping[str, float]], columns: Sequence[str]) -> Array:
    """Rows of features in the order of the columns; [n, columns]."""
    return np.array([_row(row, columns) for row in rows], dtype=np.float64)


def widths_of(columns: Sequence[str]) -> tuple[int, ...]:
    """Columns of the two groups: totals, and single operator types."""
    general = sum(map(_general, columns))
    return general, len(columns) - general


def _row(row: Mapping[str, float], columns: Sequence[str]) -> list[float]:
    known = dict.fromkeys(columns, 0.0)
    for name, value in row.items():
        _, _, what = name.rpartition(" ")
        known[name if name in known else f"{OTHER} {what}"] += value
    return [known[name] for name in columns]


def _general(name: str) -> bool:
    return name.startswith(("total ", "roof "))


def _add(found: dict[str, float], name: str, value: float) -> None:
    found[name] = found.get(name, 0.0) + value
