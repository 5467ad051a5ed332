"""How many channels each group loses, so that limits are met as exactly as channels allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from nasprof.prune._groups import Groups
from nasprof.prune._size import Size
from profiler.core.errors import InputError

SPREADS = ("uniform", "global")
Inside = Callable[[Sequence[int]], bool]
"""Whether a network that has lost so many units of each group keeps to the limits."""


def choose(
    groups: Groups,
    size: Size,
    limits: Mapping[str, float],
    spread: str,
    gone: Sequence[int] | None = None,
) -> list[int]:
    """The units that each group loses, so that `size` keeps to limits on `macs` and `params`.

    `uniform` takes the same share of every group, `global` ranks the units of all of them. One
    unit of each group stays. The result is maximal: with any one unit more a limit is exceeded.
    `gone` units of each group go in any case.
    Raises: InputError when the limits can't be met.
    """

    def inside(counts: Sequence[int]) -> bool:
        return all(size.metric(name, counts) <= limit for name, limit in limits.items())

    gone = list(gone or size.nothing_lost)
    order = list(_uniform(groups) if spread == "uniform" else _global(groups))
    found = fewest(_without(order, gone), gone, inside)
    if found is None:
        raise InputError(_too_little(groups, size, limits))
    return found


def fewest(order: Sequence[int], gone: Sequence[int], inside: Inside) -> list[int] | None:
    """The shortest beginning of an order of removals that is inside, less what need not go.

    `order` names a group for each removal beyond those that are `gone`. None when even the whole
    of it is outside.
    """

    def after(length: int) -> list[int]:
        counts = list(gone)
        for group in order[:length]:
            counts[group] += 1
        return counts

    if not inside(after(len(order))):
        return None
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if inside(after(middle)) else (middle + 1, high)
    counts = after(low)
    # What came last comes back first; what does not fit now won't fit when others are back.
    for group in reversed(order[:low]):
        counts[group] -= 1
        if not inside(counts):
            counts[group] += 1
    return counts


def below(groups: Groups, threshold: float) -> list[int]:
    """The units that score below the threshold; the best one of each group stays."""
    return [
        min(sum(score < threshold for score in group.scores), group.units - 1)
        for group in groups.cuttable
    ]


def _without(order: Sequence[int], gone: Sequence[int]) -> list[int]:
    """The order without the first removals of each group."""
    left, kept = list(gone), []
    for group in order:
        if left[group]:
            left[group] -= 1
        else:
            kept.append(group)
    return kept


def _uniform(groups: Groups) -> Iterator[int]:
    steps = [
        ((count + 1) / group.units, number)
        for number, group in enumerate(groups.cuttable)
        for count in range(group.units - 1)
    ]
    return (number for _, number in sorted(steps))


def _global(groups: Groups) -> Iterator[int]:
    steps = [
        (group.scores[unit], number)
        for number, group in enumerate(groups.cuttable)
        for unit in group.lowest(group.units - 1)
    ]
    return (number for _, number in sorted(steps))


def _too_little(groups: Groups, size: Size, limits: Mapping[str, float]) -> str:
    least = [group.units - 1 for group in groups.cuttable]
    name, limit = next((n, v) for n, v in limits.items() if size.metric(n, least) > v)
    kept = [f"{layer} ({reason})" for layer, reason in groups.whole.items()]
    more = f"; kept whole: {', '.join(kept[:5])}" if kept else ""
    return (
        f"{name} can be cut from {size.metric(name, size.nothing_lost):,} to "
        f"{size.metric(name, least):,} and not to {limit:,.0f}{more}"
    )
