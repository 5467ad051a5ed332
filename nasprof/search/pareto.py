"""Pareto sets: what no other point beats in everything."""

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


def hypervolume(points: Sequence[tuple[float, float]], reference: tuple[float, float]) -> float:
    """Area that two-dimensional points dominate up to the reference; both are to be minimised.

    Points that are not better than the reference in both coordinates add nothing.
    """
    inside = sorted(p for p in points if p[0] < reference[0] and p[1] < reference[1])
    area, ceiling = 0.0, reference[1]
    for first, second in inside:
        if second < ceiling:
            area += (reference[0] - first) * (ceiling - second)
            ceiling = second
    return area
