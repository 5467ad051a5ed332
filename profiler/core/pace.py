"""Which samples ran at the processor's full pace, by a fixed piece of work timed between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

SLOWER = 0.10
"""By how much a probe may be slower than the full pace. Where another virtual machine computed on
the same physical core, probes took 1.9 times as long and samples 1.15 times; there is little
between the two, so the exact limit matters little."""
ENOUGH = 30
"""Samples at full pace that a process should have, see docs/measuring.md."""
FEWEST = 10
"""Samples at full pace below which a process says nothing."""
_FULL = 0.01


class Paced(Protocol):
    """The part of a `Round` that says how fast the processor ran."""

    @property
    def switches(self) -> tuple[int, ...]:
        """Involuntary context switches of each sample."""
        ...

    @property
    def faults(self) -> tuple[int, ...]:
        """Major page faults of each sample."""
        ...

    @property
    def pace_ns(self) -> tuple[int, ...]:
        """The slower probe beside each sample; empty where none was timed."""
        ...


def full_pace_ns(blocks: Iterable[Paced], known_ns: float | None = None) -> float | None:
    """The pace of a processor that nobody else uses: the fastest 1 % of the probes.

    `known_ns` is that of earlier processes; it counts where it is faster. None without any probe.
    """
    tags = sorted(tag for block in blocks for tag in block.pace_ns)
    if not tags:
        return None
    own_ns = float(tags[int(_FULL * len(tags))])
    return own_ns if known_ns is None else min(own_ns, known_ns)


def clean(block: Paced) -> list[bool]:
    """Which samples saw no involuntary context switch and no major page fault."""
    return [not a | b for a, b in zip(block.switches, block.faults, strict=True)]


def at_pace(block: Paced, full_ns: float | None) -> list[bool]:
    """Which clean samples ran at full pace; all of them where no pace is known."""
    undisturbed = clean(block)
    if full_ns is None or not block.pace_ns:
        return undisturbed
    limit = (1 + SLOWER) * full_ns
    return [ok and tag <= limit for ok, tag in zip(undisturbed, block.pace_ns, strict=True)]


def enough(blocks: Sequence[Paced], known_ns: float | None) -> bool:
    """Whether a process has enough samples at full pace, or can't tell."""
    full_ns = full_pace_ns(blocks, known_ns)
    return full_ns is None or sum(sum(at_pace(block, full_ns)) for block in blocks) >= ENOUGH
