from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.core.pareto import Point, dominates, hypervolume, pareto_indices

_COORDINATE = st.integers(0, 6)
_TRIPLES = st.lists(st.tuples(_COORDINATE, _COORDINATE, _COORDINATE), max_size=25)
_PAIRS = st.lists(st.tuples(_COORDINATE, _COORDINATE), max_size=15)


@given(_TRIPLES)
def test_the_front_is_what_brute_force_finds(points: list[Point]) -> None:
    expected = [
        i
        for i, point in enumerate(points)
        if not any(
            all(a <= b for a, b in zip(other, point, strict=True)) and other != point
            for other in points
        )
    ]
    assert pareto_indices(points) == expected


@given(_TRIPLES)
def test_every_point_is_on_the_front_or_dominated_by_it(points: list[Point]) -> None:
    front = pareto_indices(points)
    for i, point in enumerate(points):
        assert i in front or any(dominates(points[kept], point) for kept in front)


@given(_PAIRS)
def test_hypervolume_counts_the_unit_cells_that_are_dominated(
    points: list[tuple[float, float]],
) -> None:
    reference = (5, 5)
    cells = sum(any(p[0] <= x and p[1] <= y for p in points) for x in range(5) for y in range(5))
    assert hypervolume(points, reference) == cells


@given(_TRIPLES)
def test_hypervolume_in_three_dimensions_counts_unit_cells(points: list[Point]) -> None:
    cells = sum(
        any(all(c <= at for c, at in zip(p, cell, strict=True)) for p in points)
        for cell in product(range(5), repeat=3)
    )
    assert hypervolume(points, (5, 5, 5)) == cells


def test_hypervolume_by_hand() -> None:
    assert hypervolume([(1.0, 3.0), (2.0, 1.0), (2.5, 2.0)], (4.0, 4.0)) == pytest.approx(7.0)
    assert hypervolume([(0.4,), (0.1,), (2.0,)], (1.0,)) == pytest.approx(0.9)
    # Two boxes of volume 2 that share a unit cube, and a point outside the reference.
    boxes = [(0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (3.0, 0.0, 0.0)]
    assert hypervolume(boxes, (2.0, 2.0, 2.0)) == pytest.approx(2 + 2 - 1)
    assert hypervolume([], (1.0, 1.0)) == 0
