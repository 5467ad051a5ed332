"""The cost and the shape of a NAS-Bench-MR network, read off its 27 integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasprof.search.structures._structure import Array, Rows
from nasprof.spaces.nasbench_mr import CHOICES, NAMES, STAGES

_SIDE, _CLASSES = 128, 50
_PLACE = {name: place for place, name in enumerate(NAMES)}


class _Sum:
    """Adds up convolutions; every one but the last has a batch normalisation."""

    def __init__(self, count: int) -> None:
        self.flops = np.zeros(count)
        self.params = np.zeros(count)

    def conv(
        self, inputs: Array, outputs: Array, kernel: int, side: int, times: Array | float = 1.0
    ) -> None:
        weights = inputs * outputs * kernel**2
        self.flops += times * (weights + 2 * outputs) * side**2
        self.params += times * (weights + 2 * outputs)


@dataclass(frozen=True, slots=True)
class Codes:
    """The integers as numbers, what the network costs, and how deep and wide each branch is."""

    def walks(self, rows: Rows) -> list[Array]:
        """Logarithms to base 2 of the codes, [n, 27]; of FLOPs and the like, see `live_counts`."""
        return [np.log2(values(rows)), self.live_counts(rows)]

    def live_counts(self, rows: Rows) -> Array:
        """Logarithms to base 2 of FLOPs, parameters, depths and widths of the branches: [n, 10]."""
        code = values(rows)
        parts = [*costs(code)]
        for branch in STAGES:
            stages = [k for k in STAGES if k >= branch]
            parts.append(
                sum(_of(code, f"b{k}") * _of(code, f"n{k}_{branch}") for k in stages)
                + np.zeros(len(code))
            )
            parts.append(sum(_of(code, f"c{k}_{branch}") for k in stages) + np.zeros(len(code)))
        return np.log2(np.stack(parts, axis=1))


def values(rows: Rows) -> Array:
    """The published integers of genes [n, 27]."""
    columns = [np.asarray(options)[rows[:, place]] for place, options in enumerate(CHOICES)]
    return np.stack(columns, axis=1).astype(np.float64)


def costs(code: Array) -> tuple[Array, Array]:
    """FLOPs and parameters of the classification network by the benchmark's convention.

    Exact: MACs, two operations an output element of a normalisation, the classifier's bias.
    Shapes: code [n, 27] of published integers.
    Source: Ding et al., ICLR 2022; the table of the benchmark has the same figures.
    """
    total = _Sum(len(code))
    total.conv(np.full(len(code), 3.0), _of(code, "i1"), 3, _SIDE // 2)
    total.conv(_of(code, "i1"), _of(code, "i2"), 3, _SIDE // 4)
    before = [_of(code, "i2")]
    for k in STAGES:
        blocks = _of(code, f"b{k}")
        after = [_of(code, f"c{k}_{j}") for j in range(1, k + 1)]
        _fuse(total, before, after, 1.0)
        _fuse(total, after, after, blocks - 1)
        for j, width in enumerate(after):
            units = _of(code, f"n{k}_{j + 1}")
            total.conv(width, width, 3, _side(j), 2 * units * blocks)
        before = after
    joined = sum(before) + np.zeros(len(code))
    total.conv(joined, _of(code, "o1"), 1, _side(len(before) - 1))
    classifier = _of(code, "o1") * _CLASSES + _CLASSES
    return total.flops + classifier, total.params + classifier


def _fuse(
    total: _Sum, before: Sequence[Array], after: Sequence[Array], times: Array | float
) -> None:
    for i in range(min(len(before), len(after))):
        total.conv(before[i], after[i], 3, _side(i), times)
        if i > 0:
            total.conv(before[i - 1], after[i], 3, _side(i), times)
        if i + 1 < len(before):
            # Carried out before it is enlarged.
            total.conv(before[i + 1], after[i], 1, _side(i + 1), times)
    if len(after) > len(before):
        total.conv(after[-2], after[-1], 3, _side(len(after) - 1), times)


def _side(branch: int) -> int:
    return _SIDE // 4 >> branch


def _of(code: Array, name: str) -> Array:
    return code[:, _PLACE[name]]


PLUGIN = Codes()
