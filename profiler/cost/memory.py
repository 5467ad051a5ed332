"""The memory that live activations need when nodes run one after the other in the file's order.

The plan: a tensor is alive from the node that makes it to the last one that reads it, outputs of
the graph to the end. A view shares its input's memory. Weights do not count. With reuse in place an
elementwise node writes into an input that nothing else needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from profiler.cost.call import IN_PLACE, VIEW
from profiler.cost.values import UNKNOWN


class Event(NamedTuple):
    """One node: what it reads and makes, and what its subgraphs need meanwhile.

    Unit: bytes; UNKNOWN when not known. `inner` and `inner_in_place` are for the two plans.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reuse: str
    inner: int = 0
    inner_in_place: int = 0


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
    dies = {name: last.get(name, -1) for name in buffer}
    live = highest = sum(sizes[name] for name in buffer)
    for index, event in enumerate(events):
        names, made, reuse, inner, inner_in_place = event
        for name in made:
            if name not in sizes:
                continue
            shared = None
            if reuse and name is made[0]:
                shared = _shared(event, index, sizes, buffer, dies, in_place)
            if shared is None:
                shared = name
                live += sizes[name]
            buffer[name] = shared
            death = last.get(name, index)
            if dies.get(shared, -1) < death:
                dies[shared] = death
        inside = inner_in_place if in_place else inner
        if inside is UNKNOWN:
            return UNKNOWN
        if live + inside > highest:
            highest = live + inside
        for name in (*names, *made):
            owner = buffer.get(name)
            if owner is not None and dies.get(owner) == index:
                live -= sizes[owner]
                del dies[owner]
    return highest


def _last_reads(events: Sequence[Event], outputs: Iterable[str]) -> dict[str, int]:
    last: dict[str, int] = {}
    for index, event in enumerate(events):
        for name in event.inputs:
            last[name] = index
    last.update(dict.fromkeys(outputs, len(events)))
    return last


def _shared(
    event: Event,
    index: int,
    sizes: Mapping[str, int],
    buffer: Mapping[str, str],
    dies: Mapping[str, int],
    in_place: bool,
) -> str | None:
    """The buffer that the first output of a node takes over."""
    if event.reuse == VIEW:
        return buffer.get(event.inputs[0]) if event.inputs else None
    if event.reuse == IN_PLACE and in_place:
        wanted = sizes[event.outputs[0]]
        for name in event.inputs:
            owner = buffer.get(name)
            if owner is not None and dies.get(owner) == index and sizes[owner] == wanted:
                return owner
    return None
