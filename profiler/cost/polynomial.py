"""Cost as a polynomial of symbolic dimensions, fitted exactly and verified.

Counting at integer sizes gives integers, so a polynomial through enough of them is found with
fractions and without error; further points tell whether the cost really is that polynomial. Strides
make it one only at multiples of some size: those are tried too, and named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path

from exporters.model_file import read_structure
from profiler.cost.blocked_channels import unpadded
from profiler.cost.values import UNKNOWN
from profiler.cost.walk import Walker

METRICS = ("macs", "flops", "peak_activation_bytes")
# Attention is quadratic in the length, a product of two symbols may be cubic; more is no network.
_MOST_DEGREE = 4
_STEPS = (1, 2, 4, 8, 16, 32, 64)
_FIRST = 2
_NONE: Mapping[str, int] = {}

Point = tuple[int, ...]
Powers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A metric as a sum of coefficient x product of symbols to powers.

    `terms` are (numerator, denominator, powers of `symbols`). It holds where every symbol is a
    multiple of `step` and at least `first`, as verified on `verified` further points.
    """

    metric: str
    symbols: tuple[str, ...]
    terms: tuple[tuple[int, int, Powers], ...]
    step: int
    first: int
    verified: int

    def at(self, sizes: Mapping[str, int]) -> Fraction:
        """The value at given sizes."""
        total = Fraction(0)
        for numerator, denominator, powers in self.terms:
            term = Fraction(numerator, denominator)
            for symbol, power in zip(self.symbols, powers, strict=True):
                term *= sizes[symbol] ** power
            total += term
        return total

    def __str__(self) -> str:
        parts = [_term(self.symbols, *term) for term in self.terms]
        return " + ".join(parts).replace("+ -", "- ") or "0"


def _term(symbols: Sequence[str], numerator: int, denominator: int, powers: Powers) -> str:
    factors = [
        symbol if power == 1 else f"{symbol}^{power}"
        for symbol, power in zip(symbols, powers, strict=True)
        if power
    ]
    number = f"{numerator}" if denominator == 1 else f"{numerator}/{denominator}"
    return " ".join([number, *factors])


def polynomial(
    path: Path, dims: Mapping[str, int] = _NONE, metrics: Sequence[str] = METRICS
) -> dict[str, Polynomial | None]:
    """Fit every metric as a polynomial of the symbols that `dims` leaves free; None where none is.

    Raises: ModelError for a file that is no model.
    """
    path = Path(path)
    model = unpadded(path, read_structure(path))
    first = Walker(model, dims)
    first.model()
    symbols = tuple(sorted(first.unbound))
    seen: dict[Point, dict[str, int | None]] = {}

    def costs(point: Point) -> dict[str, int | None]:
        if point not in seen:
            walked = Walker(model, {**dims, **dict(zip(symbols, point, strict=True))}).model()
            results = [(s.result, s.times) for s in walked.steps if s.counted]
            known = all(result is not None for result, _ in results)
            pairs = [(result, times) for result, times in results if result is not None]
            macs = sum(result.macs * times for result, times in pairs)
            flops = sum((2 * result.macs + result.flops) * times for result, times in pairs)
            found = {"macs": macs, "flops": flops, "peak_activation_bytes": walked.peak}
            seen[point] = {
                name: None if not known or value is UNKNOWN else value
                for name, value in found.items()
            }
        return seen[point]

    return {metric: _fit(metric, symbols, costs) for metric in metrics}


def _fit(
    metric: str, symbols: tuple[str, ...], costs: Callable[[Point], Mapping[str, int | None]]
) -> Polynomial | None:
    def value(point: Point) -> int | None:
        return costs(point)[metric]

    for step in _STEPS:
        found = _fit_with(value, len(symbols), step)
        if found is not None:
            terms, verified = found
            return Polynomial(metric, symbols, terms, step, _FIRST * step, verified)
    return None


def _fit_with(
    value: Callable[[Point], int | None], count: int, step: int
) -> tuple[tuple[tuple[int, int, Powers], ...], int] | None:
    """Fit on the grid of multiples of a step; None when it is no polynomial there."""
    degrees = []
    for axis in range(count):
        degree = _degree(value, count, axis, step)
        if degree is None:
            return None
        degrees.append(degree)
    grid = [[(_FIRST + i) * step for i in range(degree + 1)] for degree in degrees]
    values = {point: value(point) for point in product(*grid)}
    coefficients: dict[Powers, Fraction] = {}
    for point, found in values.items():
        if found is None:
            return None
        for powers, factor in _basis(point, grid).items():
            coefficients[powers] = coefficients.get(powers, Fraction(0)) + found * factor
    terms = tuple(
        (number.numerator, number.denominator, powers)
        for powers, number in sorted(coefficients.items(), reverse=True)
        if number
    )
    verified = _verified(value, terms, degrees, step)
    return None if verified is None else (terms, verified)


def _degree(value: Callable[[Point], int | None], count: int, axis: int, step: int) -> int | None:
    """The degree in one symbol, by differences that vanish; None when none up to the most does."""
    line: list[int] = []
    for index in range(_MOST_DEGREE + 3):
        point = tuple(
            (_FIRST + 1 + (index if place == axis else 0)) * step for place in range(count)
        )
        found = value(point)
        if found is None:
            return None
        line.append(found)
    for degree in range(_MOST_DEGREE + 1):
        differences = [after - before for before, after in pairwise(line)]
        if not any(differences):
            return degree
        line = differences
    return None


def _basis(point: Point, grid: Sequence[Sequence[int]]) -> dict[Powers, Fraction]:
    """The Lagrange polynomial that is 1 at a point of the grid and 0 at the others."""
    whole: dict[Powers, Fraction] = {(): Fraction(1)}
    for here, line in zip(point, grid, strict=True):
        factors = [Fraction(1)]
        for other in line:
            if other != here:
                scale = Fraction(1, here - other)
                factors = [
                    (factors[power - 1] if power else Fraction(0)) * scale
                    - (factors[power] if power < len(factors) else Fraction(0)) * other * scale
                    for power in range(len(factors) + 1)
                ]
        whole = {
            (*powers, power): number * factor
            for powers, number in whole.items()
            for power, factor in enumerate(factors)
        }
    return whole


def _verified(
    value: Callable[[Point], int | None],
    terms: Sequence[tuple[int, int, Powers]],
    degrees: Sequence[int],
    step: int,
) -> int | None:
    """The number of points off the grid where the polynomial holds; None where it fails."""
    # Sizes with no common factor, so that a pattern of remainders cannot hide.
    offsets = ((3, 11, 7), (13, 6, 17), (8, 19, 5), (21, 9, 12))
    for offset in offsets:
        point = tuple(
            (_FIRST + degree + offset[axis % 3]) * step for axis, degree in enumerate(degrees)
        )
        expected = sum(
            (Fraction(top, bottom) * _power(point, powers) for top, bottom, powers in terms),
            Fraction(0),
        )
        if value(point) != expected:
            return None
    return len(offsets)


def _power(point: Point, powers: Powers) -> int:
    total = 1
    for size, power in zip(point, powers, strict=True):
        total *= size**power
    return total
