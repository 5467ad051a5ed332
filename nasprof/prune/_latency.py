"""Latency of a network that lost channels, from a table of layers that was measured.

The table is made of operator profiles of the whole network cut to a few widths: what each layer
takes at each width, in its place in the network. Between these it is interpolated in the layer's
MACs, and below the narrowest it stays: nothing is promised that was not measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nasprof.prune._choice import fewest
from nasprof.prune._groups import Groups
from nasprof.prune._size import Size
from nasprof.prune._stopwatch import Stopwatch
from nasprof.prune._surgery import Operation
from profiler.core.errors import InputError
from profiler.core.profile import OperatorProfile
from profiler.core.units import ms

WIDTHS = (1.0, 0.75, 0.5, 0.25)
NEAR = 0.95
"""A measured latency from this share of the limit to the whole of it is near enough."""
TRIES = 4

Points = tuple[tuple[float, float], ...]
"""(MACs or elements, ns) from small to large; ns never falls."""


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """What each layer takes by its MACs, and all else by the elements that layers put out.

    Unit: ns of one inference.
    """

    layers: Mapping[str, Points]
    other: Points

    def predict_ns(self, size: Size, counts: Sequence[int]) -> float:
        """The latency of a network whose groups lost so many units."""
        own = sum(
            _between(self.layers[layer.name], layer.macs(counts))
            for layer in size.layers
            if layer.name in self.layers
        )
        return own + _between(self.other, elements(size, counts))


def elements(size: Size, counts: Sequence[int]) -> int:
    """What layers put out in one inference; additions, poolings and activations run over it."""
    return sum(layer.positions * layer.width(counts)[1] for layer in size.layers)


def narrowed(groups: Groups, width: float) -> list[int]:
    """Units that go when each group keeps a share of them."""
    return [group.units - max(1, math.ceil(group.units * width)) for group in groups.cuttable]


def measured_table(operation: Operation, stopwatch: Stopwatch) -> LatencyTable:
    """Cut the network to each width, and profile it there.

    Raises: MeasurementError when a width can't be measured.
    """
    several = [narrowed(operation.groups, width) for width in WIDTHS]
    profiles = [
        stopwatch.profile(operation.cut(counts), f"at {width:.0%} of its width")
        for width, counts in zip(WIDTHS, several, strict=True)
    ]
    return table_of(operation.size, several, profiles)


def table_of(
    size: Size, several: Sequence[Sequence[int]], profiles: Sequence[OperatorProfile]
) -> LatencyTable:
    """The table of profiles of a network whose groups lost `several` numbers of units."""
    names = {layer.name for layer in size.layers}
    times = [_by_layer(profile, names) for profile in profiles]
    layers = {
        layer.name: _points(
            [layer.macs(counts) for counts in several],
            [found.get(layer.name, 0.0) for found in times],
        )
        for layer in size.layers
    }
    other = _points(
        [elements(size, counts) for counts in several], [found.get("", 0.0) for found in times]
    )
    return LatencyTable(layers, other)


def search_counts(
    operation: Operation,
    table: LatencyTable,
    limit_ns: float,
    spread: str,
    gone: Sequence[int],
    inside: Callable[[Sequence[int]], bool],
    measure: Callable[[Sequence[int]], float],
) -> list[int]:
    """Find what goes so that the measured latency keeps to its limit, and is near it.

    `gone` units go in any case, `inside` tells of the other limits. What the table says is scaled
    by what was measured, until a measurement is inside and near, at most `TRIES` times.
    Raises: InputError when no measured network was inside.
    """
    size, order = operation.size, priced(operation, table, spread, gone)
    scale, least = 1.0, math.inf
    best: tuple[float, list[int]] | None = None
    for _ in range(TRIES):

        def fits(counts: Sequence[int], scale: float = scale) -> bool:
            return inside(counts) and scale * table.predict_ns(size, counts) <= limit_ns * 0.98

        counts = fewest(order, gone, fits)
        if counts is None:
            break
        found_ns = measure(counts)
        least = min(least, found_ns)
        if found_ns <= limit_ns and (best is None or found_ns > best[0]):
            best = found_ns, counts
        if NEAR * limit_ns <= found_ns <= limit_ns:
            break
        scale = found_ns / table.predict_ns(size, counts)
    if best is None:
        reached = f"; {ms(least)} ms was measured" if least < math.inf else ""
        raise InputError(f"the latency cannot be cut to {ms(limit_ns)} ms{reached}")
    return best[1]


def priced(
    operation: Operation, table: LatencyTable, spread: str, gone: Sequence[int]
) -> list[int]:
    """The order in which units go: the least rank of importance for the time that it saves first.

    A unit goes when its rank among all is below lambda times what it saves, so the beginnings of
    the order are the solutions for each lambda. `uniform` takes the same share of every group.
    """
    groups, size = operation.groups.cuttable, operation.size
    whole = table.predict_ns(size, gone)
    ranked = sorted(
        (score, number) for number, group in enumerate(groups) for score in group.scores
    )
    places: dict[int, list[int]] = {number: [] for number in range(len(groups))}
    for place, (_, number) in enumerate(ranked, start=1):
        places[number].append(place)
    steps = []
    for number, group in enumerate(groups):
        left = group.units - 1 - gone[number]
        if left < 1:
            continue
        half = [n + (max(left // 2, 1) if g == number else 0) for g, n in enumerate(gone)]
        saved = max((whole - table.predict_ns(size, half)) / max(left // 2, 1), 1e-3)
        for index in range(gone[number], group.units - 1):
            uniform = (index + 1) / group.units
            steps.append(
                (uniform if spread == "uniform" else places[number][index] / saved, number)
            )
    return [number for _, number in sorted(steps)]


def _by_layer(profile: OperatorProfile, names: set[str]) -> dict[str, float]:
    """Time of each layer; what belongs to none is under the empty name. Unit: ns."""
    found: dict[str, float] = {}
    for operator in profile.operators:
        name = operator.module if operator.module in names and operator.macs else ""
        found[name] = found.get(name, 0.0) + operator.time_ns
    return found


def _points(sizes: Sequence[float], times: Sequence[float]) -> Points:
    ordered = sorted(zip(sizes, times, strict=True))
    # A wider layer is not faster: what says so is noise, and would mislead the search.
    rising = np.maximum.accumulate([time for _, time in ordered])
    return tuple((float(x), float(y)) for (x, _), y in zip(ordered, rising, strict=True))


def _between(points: Points, at: float) -> float:
    return float(np.interp(at, [x for x, _ in points], [y for _, y in points]))
