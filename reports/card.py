"""The deployment card of one graph: every figure with where it comes from and how sure it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from profiler.core.cost import GraphCost
from profiler.core.environment import Environment
from profiler.core.outcome import Failure, Measurement, Outcome
from profiler.core.units import mib, ms
from profiler.store.records import ModelRecord
from reports.quantities import UNKNOWN, shown
from reports.rows import MARKS, Row, outcome_row

GRAPH, FILE = "graph", "file"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a card is made of.

    Unit: `limit_ns` is the longest time that one inference of a batch may take, None for any.
    `base` has one outcome for each target, `swept` those of other batches, `variants` those of
    other precisions.
    """

    model: ModelRecord
    cost: GraphCost | None
    environment: Environment
    base: tuple[Outcome, ...]
    swept: tuple[Outcome, ...] = ()
    variants: tuple[Outcome, ...] = ()
    limit_ns: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All that was measured, or failed."""
        return (*self.base, *self.swept, *self.variants)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: as people read it, as a number in base units, and where it comes from.

    `source` is `graph` or `file` for what was counted there, the name of raw samples in `Card.raw`
    for what was measured, and empty for what is unknown. `verdict` is that on a latency.
    """

    text: str
    value: float | None = None
    unit: str = ""
    source: str = ""
    verdict: str = ""

    @property
    def marked(self) -> str:
        """The text, with a mark before it where it is not to be relied on."""
        return MARKS.get(self.verdict, "") + self.text


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a section's table."""

    name: str
    figures: tuple[Figure, ...]
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A table with a heading, and sentences below it; `head` names the columns of figures."""

    title: str
    head: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """The whole card; `raw` are the measurements that its figures name."""

    title: str
    sections: tuple[Section, ...]
    raw: Mapping[str, Measurement]
    model: ModelRecord
    environment: Environment


class Sources:
    """The measurements of a card, each with its row and its name: R1, R2, ..."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        measured = [o for o in outcomes if isinstance(o, Measurement) and o.samples_ns]
        self.raw = {f"R{number}": found for number, found in enumerate(measured, 1)}
        self._names = {id(found): name for name, found in self.raw.items()}
        self._rows = {id(found): outcome_row(found) for found in measured}

    def measured(self, outcomes: Iterable[Outcome]) -> list[tuple[str, Row]]:
        """Name and row of each of these that has samples."""
        known = [o for o in outcomes if id(o) in self._names]
        return [(self._names[id(o)], self._rows[id(o)]) for o in known]


def time_figure(source: str, value_ns: float | None, verdict: str = "") -> Figure:
    """A time in ms; without a verdict where it is of single events."""
    if value_ns is None:
        return Figure(UNKNOWN)
    return Figure(f"{ms(value_ns)} ms", value_ns, "ns", source, verdict)


def size_figure(source: str, value: float | None) -> Figure:
    """A size in MiB."""
    return Figure(UNKNOWN) if value is None else Figure(f"{mib(value)} MiB", value, "B", source)


def failed_lines(outcomes: Iterable[Outcome]) -> list[str]:
    """A sentence for each that has no figure."""
    return [
        f"{outcome_row(o).target} failed at {o.stage}: {o.kind}: {shown(o.message, 160)}"
        for o in outcomes
        if isinstance(o, Failure)
    ]


def doubt_lines(measured: Iterable[tuple[str, Row]]) -> list[str]:
    """A sentence for each whose latency is not to be relied on."""
    return [
        f"{MARKS[row.verdict]} {name} ({row.target}) is {row.verdict}: {shown(row.reasons, 200)}"
        for name, row in measured
        if row.verdict in MARKS
    ]
