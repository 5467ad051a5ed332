"""The smallest difference that comparisons on a machine can find."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, expm1, log1p
from random import Random

from profiler.core.comparison import SAME_WITHIN, shown_interval, sure_interval

FOUND = 0.9
"""Share of comparisons that have to find a difference for it to count as resolvable."""
_RESAMPLES = 200


def resolvable(
    logs: Sequence[float], pairs: int, same_within: float = SAME_WITHIN, seed: int = 0
) -> float:
    """The smallest slowdown that `FOUND` of comparisons of so many pairs call SLOWER, as a share.

    `logs` are log ratios of pairs of processes of one and the same model. Comparisons are drawn
    from them with their signs by chance, since either process could have come first. Infinite
    where `pairs` are too few to be sure of anything.
    """
    if not logs:
        return float("inf")
    rng = Random(seed)
    needed = sorted(_needed(_draw(logs, pairs, rng), same_within) for _ in range(_RESAMPLES))
    return expm1(needed[ceil(FOUND * _RESAMPLES) - 1])


def _draw(logs: Sequence[float], pairs: int, rng: Random) -> list[float]:
    return [value * rng.choice((-1, 1)) for value in rng.choices(logs, k=pairs)]


def _needed(logs: Sequence[float], same_within: float) -> float:
    """The shift from which a comparison says SLOWER: both its intervals move along with it."""
    return max(-sure_interval(logs)[0], log1p(same_within) - shown_interval(logs)[1])
