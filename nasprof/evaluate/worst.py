"""Several tasks at once: the accuracy of the worst."""

from __future__ import annotations

from dataclasses import dataclass

from nasprof.evaluate._evaluator import Accuracy
from nasprof.evaluate._parts import combined, parts
from nasprof.spaces._space import Space


@dataclass(frozen=True, slots=True)
class Worst:
    """The smallest value of the parts."""

    name: str = "worst"
    usage: str = '"worst:table:FILE:ONE and table:FILE:OTHER"'

    def open(self, space: Space, argument: str | None, seed: int) -> Accuracy:
        """Open every part.

        Raises: InputError when one of them can't be.
        """
        found = parts(argument, space, seed, self.usage, weighted=False)
        return combined(found, lambda _, values: min(values))


PLUGIN = Worst()
