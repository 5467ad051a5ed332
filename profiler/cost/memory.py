"""The memory that live activations need when nodes run one after the other in the file's order.

The plan: a tensor is alive from the node that makes it to the last one that reads it, outputs of
the graph to the end. A view shares its input's memory. Weights do not count. With reuse in place an
elementwise node writes into an input that nothing else needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from profiler.cost.call import VIEW
from profiler.cost.values import UNKNOWN

# One node: names that it reads and makes, what it may reuse, and what its bodies need meanwhile by
# either plan (bytes, UNKNOWN when not known). A plain tuple, as one is made for every node.
Event: TypeAlias = tuple[tuple[str, ...], tuple[str, ...], str, int, int]


class Peaks(NamedTuple):
    """The largest sum of live tensors by either plan, or UNKNOWN.

    Unit: bytes.
    """

    plain: int
    in_place: int


def peaks(
    events: Sequence[Event],
    sizes: Mapping[str, int],
    inputs: Sequence[str],
    outputs: Iterable[str],
) -> Peaks:
    """Lay out the memory of a graph by both plans.

    Unit: bytes. `sizes` holds activations only; names that it lacks are weights.
    """
    if any(size is UNKNOWN for size in sizes.values()):
        return Peaks(UNKNOWN, UNKNOWN)
    last = _last_reads(events, outputs)
    plain = _peak(events, sizes, inputs, last, False)
    return Peaks(plain, _peak(events, sizes, inputs, last, True))


def _peak(
    events: Sequence[Event],
    sizes: Mapping[str, int],
    inputs: Sequence[str],
    last: Mapping[str, int],
    in_place: bool,
) -> int:
    # A buffer is called after the first name that it has; views and reuse give it more names.
    buffer = {name: name for name in inputs if name in sizes}
    dies = {name: last.get(name, len(events)) for name in buffer}
    allocated = [0] * (len(events) + 1)
    for index, event in enumerate(events):
        reuse, made = event[2], event[1]
        for name in made:
            if name not in sizes:
                continue
            owner = None
            if reuse and (in_place or reuse == VIEW) and name is made[0]:
                owner = _shared(event, index, sizes, buffer, dies)
            if owner is None:
                owner = name
                allocated[index] += sizes[name]
                dies[name] = last.get(name, index)
            elif last.get(name, index) > dies[owner]:
                dies[owner] = last[name]
            buffer[name] = owner
    freed = [0] * (len(events) + 1)
    for name, index in dies.items():
        freed[index] += sizes[name]
    live = sum(sizes[name] for name in inputs if name in sizes)
    return _highest(events, live, allocated, freed, in_place)


def _highest(
    events: Sequence[Event], live: int, allocated: list[int], freed: list[int], in_place: bool
) -> int:
    highest = live
    for event, new, old in zip(events, allocated, freed, strict=False):
        inside = event[4] if in_place else event[3]
        if inside is UNKNOWN:
            return UNKNOWN
        live += new
        if live + inside > highest:
            highest = live + inside
        live -= old
    return highest


def _last_reads(events: Sequence[Event], outputs: Iterable[str]) -> dict[str, int]:
    last: dict[str, int] = {}
    for index, event in enumerate(events):
        for name in event[0]:
            last[name] = index
    last.update(dict.fromkeys(outputs, len(events)))
    return last


def _shared(
    event: Event,
    index: int,
    sizes: Mapping[str, int],
    buffer: Mapping[str, str],
    dies: Mapping[str, int],
) -> str | None:
    """The buffer that the first output of a node takes over."""
    names, made, reuse = event[:3]
    if reuse == VIEW:
        return buffer.get(names[0]) if names else None
    wanted = sizes[made[0]]
    for name in names:
        owner = buffer.get(name)
        if owner is not None and dies.get(owner) == index and sizes[owner] == wanted:
            return owner
    return None
