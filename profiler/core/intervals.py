"""Centres of a few values, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, comb, pi, sqrt
from statistics import stdev

# Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom; beyond, the last one,
# which is then a little wide.
_STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
)  # fmt: skip
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


def repeated_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the centre of two or more independent values, around their median.

    Student's interval of the mean, widened by what a median is less sure than a mean. Independent
    are the medians of processes, and not those of rounds: what memory a process got, and when it
    ran, all its rounds share.
    """
    centre, count = median(values), len(values)
    factor = _MEDIAN_OVER_MEAN if count > 2 else 1.0
    student = _STUDENT[min(count - 1, len(_STUDENT)) - 1]
    half = student * factor * stdev(values) / sqrt(count)
    return centre - half, centre + half
