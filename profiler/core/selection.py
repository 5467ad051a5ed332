"""Which samples of a measurement its estimate is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from profiler.core.intervals import median
from profiler.core.pace import FEWEST, Paced, at_pace, clean

POOLED = 3
"""Samples at full pace that count together where no process has enough of its own: others are 15 to
40 % slow beside a neighbour, which is more than so few samples are off."""


class Block(Paced, Protocol):
    """The part of a `Round` that statistics need."""

    @property
    def wall_ns(self) -> tuple[int, ...]:
        """Wall time of each sample."""
        ...

    @property
    def runs_per_sample(self) -> int:
        """Inferences in one sample."""
        ...


@dataclass(frozen=True, slots=True)
class Used:
    """The samples that the estimate is made of, by process and round.

    Unit: ns for one inference. `at_pace` counts the processes with enough samples at full pace,
    `share` is that of such samples; None where the pace is unknown.
    """

    processes: list[list[list[float]]]
    at_pace: int | None
    share: float | None

    @property
    def medians(self) -> list[float]:
        """The median of each process, in ns."""
        return [median([value for part in p for value in part]) for p in self.processes]

    @property
    def samples(self) -> list[float]:
        """All of them, in order."""
        return sorted(value for process in self.processes for part in process for value in part)

    @property
    def off_pace(self) -> bool:
        """Whether the pace is known and no process reached it."""
        return self.at_pace == 0


def used_samples(processes: Sequence[Sequence[Block]], full_ns: float | None) -> Used:
    """Samples at full pace of the processes that have enough of them.

    Where no process has, the few that there are as those of one process; where there are next to
    none, all clean samples, and where there are none of these, all.
    """
    undisturbed = [[_chosen(block, clean(block)) for block in p] for p in processes]
    if full_ns is not None:
        paced = [[_chosen(block, at_pace(block, full_ns)) for block in p] for p in processes]
        total = sum(len(block.wall_ns) for process in processes for block in process)
        share = sum(len(part) for process in paced for part in process) / total
        kept = [process for process in paced if sum(map(len, process)) >= FEWEST]
        few = [part for process in paced for part in process if part]
        pooled = [few] if sum(map(len, few)) >= POOLED else None
        return Used(kept or pooled or _some(undisturbed, processes), len(kept), share)
    return Used(_some(undisturbed, processes), None, None)


def _some(
    undisturbed: list[list[list[float]]], processes: Sequence[Sequence[Block]]
) -> list[list[list[float]]]:
    kept = [process for process in undisturbed if any(process)]
    return kept or [[_chosen(b, [True] * len(b.wall_ns)) for b in p] for p in processes if p]


def clean_or_all(rounds: Sequence[Block]) -> list[float]:
    """All clean samples, or all where there are none. Unit: ns for one inference."""
    values = [value for block in rounds for value in _chosen(block, clean(block))]
    return values or [w / b.runs_per_sample for b in rounds for w in b.wall_ns]


def _chosen(block: Block, wanted: Sequence[bool]) -> list[float]:
    pairs = zip(block.wall_ns, wanted, strict=True)
    return [wall / block.runs_per_sample for wall, want in pairs if want]
