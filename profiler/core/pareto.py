"""Pareto sets, what no other point beats in everything, and the volume that they dominate."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float, ...]


def dominates(one: Point, other: Point) -> bool:
    """Whether `one` is nowhere worse and somewhere better; every coordinate is to be minimised."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def pareto_indices(points: Sequence[Point]) -> list[int]:
    """Indices of the points that no other point dominates, in their order; equal points all stay.

    Every coordinate is to be minimised: negate what is to be maximised.
    """
    # Whatever dominates a point sorts before it, so one pass over a growing front is enough.
    front: list[int] = []
    for index in sorted(range(len(points)), key=lambda i: points[i]):
        if not any(dominates(points[kept], points[index]) for kept in front):
            front.append(index)
    return sorted(front)


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Volume that points dominate up to the reference, exactly; every coordinate is minimised.

    Points that are not better than the reference in every coordinate add nothing.
    Shapes: points [n, d], reference [d], d >= 1.
    Source: hypervolume by slicing objectives, While et al., "A faster algorithm for calculating
    hypervolume", 2006.
    """
    inside = {p for p in points if all(a < b for a, b in zip(p, reference, strict=True))}
    return _volume(sorted(inside, key=lambda point: point[-1]), reference)


def _volume(points: Sequence[Point], reference: Point) -> float:
    """The volume under points that are sorted by their last coordinate."""
    if not points:
        return 0.0
    if len(reference) == 1:
        return reference[0] - points[0][0]
    total = 0.0
    ends = [*(point[-1] for point in points[1:]), reference[-1]]
    # Between two neighbours in the last coordinate the slice is the same all the way.
    front: list[Point] = []
    for point, end in zip(points, ends, strict=True):
        head = point[:-1]
        if head not in front and not any(dominates(other, head) for other in front):
            front = [other for other in front if not dominates(head, other)] + [head]
        if end > point[-1]:
            ordered = sorted(front, key=lambda one: one[-1])
            total += (end - point[-1]) * _volume(ordered, reference[:-1])
    return total
