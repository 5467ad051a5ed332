"""Genes as vectors that can change a little: numbers where genes are numbers, else one-hot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasprof.predict._predictor import Array
from nasprof.spaces._genes import numeric, one_hot
from nasprof.spaces._space import Genes, Space


@dataclass(frozen=True, slots=True)
class Code:
    """A space's genes as vectors; `numbers` tells which of the two forms it is.

    Shapes: low, high [d], the least and the greatest value of each element.
    """

    space: Space
    numbers: bool
    low: Array
    high: Array

    def encode(self, candidates: Sequence[Genes]) -> Array:
        """Vectors of candidates: [n, d]."""
        form = numeric if self.numbers else one_hot
        return form(self.space, candidates).astype(np.float64)

    def rounded(self, vector: Array) -> Genes:
        """The genes next to a vector [d]: the nearest number, a tie upwards, or the largest part.

        The genes may be no valid candidate where a space has such.
        Source: the rounding of NCP's release, max(q, floor((v + q / 2) / q) q) for steps of q.
        """
        if self.numbers:
            return tuple(
                int(np.searchsorted(_middles(options), value, side="right"))
                for options, value in zip(self.space.choices, vector, strict=True)
            )
        ends = np.cumsum(self.space.sizes)[:-1]
        return tuple(int(np.argmax(part)) for part in np.split(vector, ends))

    def moves(self, genes: Genes) -> list[Genes]:
        """Valid genes one step away: the next number up or down, or any other name."""
        found: list[Genes] = []
        for place, size in enumerate(self.space.sizes):
            steps = (genes[place] - 1, genes[place] + 1) if self.numbers else range(size)
            for value in steps:
                other = (*genes[:place], value, *genes[place + 1 :])
                if 0 <= value < size and value != genes[place] and self.space.valid(other):
                    found.append(other)
        return found


def code_of(space: Space) -> Code:
    """Numbers where every gene stands for numbers in rising order, else one-hot."""
    if all(_rising(options) for options in space.choices):
        low = np.array([options[0] for options in space.choices], dtype=np.float64)
        high = np.array([options[-1] for options in space.choices], dtype=np.float64)
        return Code(space, True, low, high)
    width = int(sum(space.sizes))
    return Code(space, False, np.zeros(width), np.ones(width))


def _rising(options: Sequence[object]) -> bool:
    numbers = [option for option in options if isinstance(option, int | float)]
    return len(numbers) == len(options) and numbers == sorted(set(numbers))


def _middles(options: Sequence[object]) -> Array:
    values = np.asarray(options, dtype=np.float64)
    return np.asarray((values[1:] + values[:-1]) / 2)
