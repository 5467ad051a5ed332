"""Several evaluators as one: their parts, read from one text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nasprof.evaluate._evaluator import Accuracy, open_evaluator
from nasprof.spaces._space import Genes, Space
from profiler.core.errors import InputError

_SEPARATOR = " and "


@dataclass(frozen=True, slots=True)
class Part:
    """One evaluator with its weight."""

    weight: float
    value: Accuracy


def parts(text: str | None, space: Space, seed: int, usage: str, weighted: bool) -> list[Part]:
    """Read `0.7*table:a.csv and 0.3*proxy:naswot`, or without weights.

    Raises: InputError when there are fewer than two parts or one is none.
    """
    texts = [part.strip() for part in (text or "").split(_SEPARATOR)]
    if len(texts) < 2:
        raise InputError(f"{text or ''!r} has fewer than two parts; write {usage}")
    found = []
    for each in texts:
        weight, evaluator = _split(each, usage) if weighted else (1.0, each)
        found.append(Part(weight, open_evaluator(evaluator, space, seed)))
    return found


def combined(
    found: Sequence[Part], how: Callable[[Sequence[Part], list[float]], float]
) -> Accuracy:
    """The parts' values of an architecture as one."""

    def value(genes: Genes) -> float:
        return how(found, [part.value(genes) for part in found])

    return value


def _split(text: str, usage: str) -> tuple[float, str]:
    weight, star, evaluator = text.partition("*")
    try:
        number = float(weight) if star else 0.0
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise InputError(f"{text!r} has no weight above 0; write {usage}")
    return number, evaluator
