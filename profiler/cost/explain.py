"""The difference between two ways to count one model, by operator type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from profiler.cost.choose import convention
from profiler.cost.conventions._convention import Convention, Seen, macs
from profiler.cost.count import walk_file
from profiler.cost.steps import Step
from profiler.cost.values import UNKNOWN, UnknownSize

_NONE: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Difference:
    """One operator type: nasprof's MACs, the convention's figure, and why they differ.

    Unit: `macs` MACs, `figure` the convention's own unit; None when a size is not known.
    """

    op_type: str
    nodes: int
    macs: int | None
    figure: int | None
    reason: str

    @property
    def difference(self) -> int | None:
        """The convention's figure less nasprof's MACs."""
        if self.macs is None or self.figure is None:
            return None
        return self.figure - self.macs


def explain(path: Path, name: str, dims: Mapping[str, int] = _NONE) -> tuple[Difference, ...]:
    """List by operator type how a convention's figure differs from nasprof's MACs.

    Every type that either counts is listed; the largest difference comes first.
    Raises: InputError for an unknown convention, ModelError for a file that is no model.
    """
    return explain_steps(walk_file(path, dims), convention(name))


def explain_steps(steps: Iterable[Step], rules: Convention) -> tuple[Difference, ...]:
    """As `explain`, of nodes that were counted already."""
    counted = [step for step in steps if step.counted]
    seen = Seen(counted)
    groups: dict[str, list[Step]] = {}
    for step in counted:
        groups.setdefault(step.operator, []).append(step)
    rows = [
        Difference(
            op_type,
            sum(step.times for step in group),
            _total(macs(step) * step.times for step in group),
            _total(rules.count(step, seen) * step.times for step in group),
            rules.reasons.get(op_type, rules.reasons.get("", "")),
        )
        for op_type, group in groups.items()
    ]
    rows = [row for row in rows if row.macs != 0 or row.figure != 0]
    rows = [row if row.difference != 0 else _plain(row) for row in rows]
    return tuple(sorted(rows, key=lambda row: -abs(row.difference or 0)))


def _plain(row: Difference) -> Difference:
    return Difference(row.op_type, row.nodes, row.macs, row.figure, "")


def _total(numbers: Iterable[int]) -> int | None:
    try:
        total = sum(numbers)
    except UnknownSize:
        return None
    return None if total is UNKNOWN else total
