"""Centres of a few values, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import atan, ceil, comb, cos, pi, sin, sqrt
from statistics import stdev

_A_LOOK = (
    0.05, 0.0294, 0.0221, 0.0182, 0.0158, 0.0142, 0.0130, 0.0120, 0.0112, 0.0106,
)  # fmt: skip
"""How often each of 1, 2, ... looks at growing data may be wrong, for 5 % together (Pocock,
"Group sequential methods in the design and analysis of clinical trials", 1977)."""
_MEDIAN_OVER_MEAN = sqrt(pi / 2)
"""Standard error of a median over that of a mean, for many normal values; a little more than
for few."""


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two middle ones."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def rank(ordered: Sequence[float], percentile: float) -> float:
    """The value that so many percent of the ordered values do not exceed."""
    return ordered[max(ceil(percentile / 100 * len(ordered)), 1) - 1]


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Order-statistic interval of the median, without an assumption on the distribution.

    Ranks are 6..15 of 20 and 40..61 of 100. Under six values the whole range is returned, which
    then covers less than 95 %.
    Source: Hollander and Wolfe, "Nonparametric Statistical Methods".
    """
    ordered = sorted(values)
    n = len(ordered)
    tail, place = 0.0, 0
    while place < n // 2:
        tail += comb(n, place) / 2**n
        if 2 * tail > 1 - confidence:
            break
        place += 1
    place = max(place, 1)
    return ordered[place - 1], ordered[n - place]


def repeated_interval(values: Sequence[float], looks: int = 1) -> tuple[float, float]:
    """95 % interval of the centre of two or more independent values, around their median.

    Student's interval of the mean, widened by what a median is less sure than a mean. Independent
    are the medians of processes, and not those of rounds: what memory a process got, and when it
    ran, all its rounds share. `looks` is how many times the interval is looked at to decide whether
    more values are taken: values that agree by luck end the taking, so each look has a part of the
    5 % (Pocock's; Bonferroni's beyond ten).
    """
    centre, count = median(values), len(values)
    factor = _MEDIAN_OVER_MEAN if count > 2 else 1.0
    wrong = _A_LOOK[looks - 1] if looks <= len(_A_LOOK) else 0.05 / looks
    student = student_quantile(count - 1, 1 - wrong)
    half = student * factor * stdev(values) / sqrt(count)
    return centre - half, centre + half


@cache
def student_quantile(freedom: int, confidence: float) -> float:
    """What Student's t with so many degrees of freedom exceeds on neither side, so surely."""
    low, high = 0.0, 1.0
    while _within(high, freedom) < confidence:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < confidence else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """Probability of -t..t, by the finite series for whole degrees of freedom.

    Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4.
    """
    angle = atan(t / sqrt(freedom))
    odd = freedom % 2
    total, term = 0.0, sin(angle) * (cos(angle) if odd else 1.0)
    for step in range(odd, freedom - 1, 2):
        total += term
        term *= cos(angle) ** 2 * (step + 1) / (step + 2)
    return 2 / pi * (angle + total) if odd else total
