"""What `nasprof doctor` found, as lines for the terminal and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

from profiler.core.comparison import Compared
from profiler.core.diagnosis import Finding
from reports.comparison import comparison_rows, comparison_table
from reports.quantities import listed, shown


class Resolved(Protocol):
    """The smallest difference that comparisons of so many pairs find."""

    @property
    def pairs(self) -> int:
        """Pairs of processes."""
        ...

    @property
    def difference(self) -> float | None:
        """The slowdown as a share; None for none."""
        ...

    @property
    def seconds(self) -> float:
        """About what such a comparison takes."""
        ...


class Diagnosed(Protocol):
    """What the doctor gives back."""

    @property
    def compared(self) -> Compared:
        """The model against itself."""
        ...

    @property
    def resolved(self) -> Sequence[Resolved]:
        """What can be resolved."""
        ...

    @property
    def findings(self) -> Sequence[Finding]:
        """What was observed."""
        ...

    @property
    def unknown(self) -> Sequence[str]:
        """What could not be read."""
        ...

    @property
    def journal(self) -> str | None:
        """SQLite's journal mode."""
        ...


def diagnosis_text(found: Diagnosed) -> str:
    """The model against itself, what can be resolved, what was observed and what to do."""
    lines = [comparison_table([found.compared]), ""]
    lines += [_resolved(one) for one in found.resolved]
    lines.append("")
    for finding in found.findings:
        lines += [f"- {shown(finding.observed, 300)}", f"  {shown(finding.remedy, 300)}"]
    if not found.findings:
        lines.append("nothing on this machine was seen to disturb the measurement")
    if found.unknown:
        lines.append(f"not readable here, so nothing is said of: {listed(found.unknown)}")
    if found.journal is not None:
        lines.append(f"store: SQLite with journal mode {found.journal}{_journal(found.journal)}")
    return "\n".join(lines)


def diagnosis_data(found: Diagnosed) -> dict[str, Any]:
    """The same in JSON's types."""
    return {
        "against_itself": comparison_rows([found.compared])[0],
        "resolvable": [
            {"pairs": one.pairs, "difference": one.difference, "seconds": one.seconds}
            for one in found.resolved
        ],
        "findings": [asdict(finding) for finding in found.findings],
        "unknown": list(found.unknown),
        "journal": found.journal,
    }


def _resolved(one: Resolved) -> str:
    after = f"after {one.pairs} pairs of processes (about {one.seconds:.0f} s)"
    if one.difference is None:
        return f"no difference can be resolved {after}: the machine was too busy to say"
    return f"a slowdown of {one.difference:.1%} is found by 9 of 10 comparisons {after}"


def _journal(mode: str) -> str:
    if mode == "wal":
        return ": reports can read while a run writes"
    return ": a reader waits while a run writes; WAL is not safe on this SQLite or file system"
