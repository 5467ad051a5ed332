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

    Unit: bytes; UNKNOWN when not known.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reuse: str
    inner: int


class _Buffer:
    """Memory with a number of reads still to come."""

    __slots__ = ("bytes", "reads")

    def __init__(self, size: int, reads: int) -> None:
        self.bytes = size
        self.reads = reads


def peak(
    events: Sequence[Event],
    sizes: Mapping[str, int],
    inputs: Iterable[str],
    outputs: Iterable[str],
    in_place: bool,
) -> int:
    """The largest sum of live tensors, or UNKNOWN.

    Unit: bytes. `sizes` holds activations only; names that it lacks are weights.
    """
    reads = _reads(events, outputs)
    buffers: dict[str, _Buffer] = {}
    live = highest = 0
    for name in inputs:
        if name in sizes and name not in buffers:
            buffers[name] = _Buffer(sizes[name], reads.get(name, 0))
            live += sizes[name]
    for event in events:
        used = {id(found): found for n in event.inputs if (found := buffers.get(n)) is not None}
        for name in event.inputs:
            if name in buffers:
                buffers[name].reads -= 1
        made = _made(event, sizes, reads, buffers, in_place)
        live += made
        if live is UNKNOWN or event.inner is UNKNOWN:
            return UNKNOWN
        highest = max(highest, live + event.inner)
        done = [found for found in used.values() if found.reads <= 0]
        done += [
            found
            for name in event.outputs
            if (found := buffers.get(name)) is not None
            and found.reads <= 0
            and id(found) not in used
        ]
        for found in done:
            live -= found.bytes
            found.bytes = 0
    return max(highest, live)


def _reads(events: Sequence[Event], outputs: Iterable[str]) -> dict[str, int]:
    reads: dict[str, int] = {}
    for event in events:
        for name in event.inputs:
            reads[name] = reads.get(name, 0) + 1
    for name in outputs:
        reads[name] = reads.get(name, 0) + 1
    return reads


def _made(
    event: Event,
    sizes: Mapping[str, int],
    reads: Mapping[str, int],
    buffers: dict[str, _Buffer],
    in_place: bool,
) -> int:
    """Give every output its memory and return the bytes that are new."""
    made = 0
    for position, name in enumerate(event.outputs):
        if name not in sizes:
            continue
        wanted = reads.get(name, 0)
        shared = _shared(event, sizes[name], buffers, in_place) if position == 0 else None
        if shared is not None:
            shared.reads += wanted
            buffers[name] = shared
            continue
        buffers[name] = _Buffer(sizes[name], wanted)
        made += sizes[name]
    return made


def _shared(
    event: Event, size: int, buffers: Mapping[str, _Buffer], in_place: bool
) -> _Buffer | None:
    if event.reuse == VIEW:
        return buffers.get(event.inputs[0]) if event.inputs else None
    if event.reuse == IN_PLACE and in_place:
        for name in event.inputs:
            found = buffers.get(name)
            if found is not None and found.reads == 0 and found.bytes == size:
                return found
    return None
