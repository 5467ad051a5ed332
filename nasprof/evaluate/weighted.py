"""Several accuracies, or accuracies and proxies, as one weighted mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasprof.evaluate._evaluator import Accuracy
from nasprof.evaluate._parts import Part, combined, parts
from nasprof.spaces._space import Space


@dataclass(frozen=True, slots=True)
class Weighted:
    """The mean of the parts by their weights, which need not add up to 1."""

    name: str = "weighted"
    usage: str = '"weighted:0.7*table:FILE:COLUMN and 0.3*proxy:naswot"'

    def open(self, space: Space, argument: str | None, seed: int) -> Accuracy:
        """Open every part.

        Raises: InputError when one of them can't be.
        """
        return combined(parts(argument, space, seed, self.usage, weighted=True), _mean)


def _mean(found: Sequence[Part], values: list[float]) -> float:
    whole = sum(part.weight for part in found)
    return sum(part.weight * value for part, value in zip(found, values, strict=True)) / whole


PLUGIN = Weighted()
