"""Einsum: contracted pair by pair from the left, as torch does without a planner."""

from __future__ import annotations

import re
from collections import Counter

from profiler.cost.call import Call, Family, Result, of
from profiler.cost.values import UNKNOWN, Shape, size

_EQUATION = re.compile(r"[A-Za-z.,]*(->[A-Za-z.]*)?")


def einsum(call: Call) -> Result:
    """A product with shared labels that are summed costs the product of all its labels in MACs.

    One without costs one multiplication for each of them; labels of one operand that nothing else
    needs are added up before.
    Raises: ValueError for an equation that does not fit its operands.
    """
    text = call.text("equation").replace(" ", "")
    if not _EQUATION.fullmatch(text):
        raise ValueError("no equation")
    shapes = [call.shape(index) for index in range(len(call.inputs))]
    left, arrow, right = text.partition("->")
    terms = [_labels(term, len(shape)) for term, shape in zip(left.split(","), shapes, strict=True)]
    sizes = _sizes(terms, shapes)
    wanted = _wanted(terms, right if arrow else None)
    macs, flops = _contract(terms, wanted, sizes)
    out = tuple(sizes[label] for label in wanted)
    return Result(of(call.dtype(), out), macs=macs, flops=flops)


def _labels(term: str, rank: int) -> list[str]:
    # The axes of an ellipsis get labels of their own, counted from the right: ".1" is the last.
    before, dots, after = term.partition("...")
    if not dots:
        return list(term)
    hidden = rank - len(before) - len(after)
    return [*before, *(f".{hidden - axis}" for axis in range(hidden)), *after]


def _wanted(terms: list[list[str]], right: str | None) -> list[str]:
    counts = Counter(label for term in terms for label in term)
    dots = sorted((label for label in counts if len(label) > 1), key=lambda dot: -int(dot[1:]))
    if right is None:
        once = (label for label, count in counts.items() if count == 1 and len(label) == 1)
        return [*dots, *sorted(once)]
    before, mark, after = right.partition("...")
    return [*before, *(dots if mark else ()), *after]


def _sizes(terms: list[list[str]], shapes: list[Shape]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        if len(term) != len(shape):
            raise ValueError("labels and axes differ")
        for label, dim in zip(term, shape, strict=True):
            if sizes.get(label, 1) == 1 or sizes[label] is UNKNOWN:
                sizes[label] = dim
    return sizes


def _contract(terms: list[list[str]], wanted: list[str], sizes: dict[str, int]) -> tuple[int, int]:
    macs = flops = 0
    current = terms[0]
    for position, term in enumerate(terms[1:], 1):
        later = {label for rest in terms[position + 1 :] for label in rest} | set(wanted)
        current, saved_here = _summed(current, set(term) | later, sizes)
        term, saved_there = _summed(term, set(current) | later, sizes)
        union = list(dict.fromkeys([*current, *term]))
        work = size(tuple(sizes[label] for label in union))
        shared = set(current) & set(term) - later
        macs, flops = (macs + work, flops) if shared else (macs, flops + work)
        flops += saved_here + saved_there
        current = [label for label in union if label in later]
    _, last = _summed(current, set(wanted), sizes)
    return macs, flops + last


def _summed(term: list[str], needed: set[str], sizes: dict[str, int]) -> tuple[list[str], int]:
    # Labels of a single operand that nothing else needs are added up first.
    kept = [label for label in dict.fromkeys(term) if label in needed]
    work = size(tuple(sizes[label] for label in dict.fromkeys(term)))
    return kept, 0 if len(kept) == len(set(term)) else work


RULES: Family = {"Einsum": einsum}
