"""What finds the accuracy of a candidate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from nasprof.spaces._space import Genes, Space
from profiler.core.errors import InputError
from profiler.core.plugins import load, names

Accuracy = Callable[[Genes], float]
"""The accuracy of one architecture, a share in 0..1."""


class Evaluator(Protocol):
    """A way to find accuracies; `usage` is how a person writes it."""

    @property
    def name(self) -> str: ...
    @property
    def usage(self) -> str: ...
    def open(self, space: Space, argument: str | None, seed: int) -> Accuracy:
        """Prepare to find accuracies in a space; `argument` is what follows the name and a colon.

        Raises: InputError when the argument is missing, wrong or one too many.
        """
        ...


def open_evaluator(text: str, space: Space, seed: int) -> Accuracy:
    """Prepare the evaluator that a person named, for example `digits` or `table:FILE:COLUMN`.

    Raises: InputError that says what there is when the text names none.
    """
    name, colon, argument = text.partition(":")
    known = names("nasprof.evaluate")
    if name not in known:
        shown = ", ".join(load("nasprof.evaluate", other).usage for other in known)
        raise InputError(f"unknown accuracy {text!r}; give one of: {shown}")
    evaluator: Evaluator = load("nasprof.evaluate", name)
    return evaluator.open(space, argument if colon else None, seed)
