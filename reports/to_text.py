"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from tabulate import tabulate

from profiler.core.choice import Constraint, Objective, traded_keys
from profiler.core.outcome import Outcome
from profiler.core.units import mib, ms
from profiler.store.records import HistoryEntry, TrialRecord
from reports.quantities import limit_text, listed, quantity, short, shown
from reports.rows import MARKS, Row, outcome_row
from reports.search_progress import Progress, progress
from reports.variants import beside_fp32

_OUTCOME_HEAD = (
    "model", "target", "thr", "batch", "median ms", "95% interval", "p90", "load ms", "first ms",
    "peak MiB", "error", "verdict",
)  # fmt: skip
_RIGHT = ("left", "left", *("right",) * 9, "left")


class Asked(Protocol):
    """The part of a search's problem that a table needs."""

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """The limits."""
        ...

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is to be large or small; none stands for accuracy alone."""
        ...


class SearchFound(Protocol):
    """What a finished search gives back."""

    @property
    def problem(self) -> Asked:
        """What was asked."""
        ...

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """Every candidate that was tried."""
        ...

    @property
    def pareto(self) -> tuple[TrialRecord, ...]:
        """The networks to report."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the person."""
        ...

    @property
    def flags(self) -> Mapping[tuple[int, str], str]:
        """Verdicts of reported latencies that are not valid, by trial and runtime."""
        ...


def outcome_table(outcomes: Iterable[Outcome]) -> str:
    """Outcomes in their order; a number that is not to be trusted has a mark, explained below.

    Unit: ms for one inference of the batch; error is relative to the largest reference output.
    """
    rows = beside_fp32([outcome_row(outcome) for outcome in outcomes])
    if not rows:
        return "nothing was measured"
    table = tabulate(
        [_outcome_cells(row) for row in rows],
        _OUTCOME_HEAD,
        colalign=_RIGHT,
        disable_numparse=True,
        maxcolwidths=[34, 26, *[None] * 9, 44],
    )
    return "\n".join([table, *_footnotes(rows)])


def history_table(entries: Sequence[HistoryEntry]) -> str:
    """What the store holds, newest first; times are UTC."""
    if not entries:
        return "the store is empty"
    cells = [
        (entry.kind, short(entry.name, 40), entry.created_at[:16].replace("T", " "),
         str(entry.models), str(entry.measurements), str(entry.failures),
         entry.state or _verdicts(entry), ", ".join(key[:6] for key in entry.environments),
         shown(", ".join(entry.targets), 60))
        for entry in entries
    ]  # fmt: skip
    head = (
        "kind", "name", "begun (UTC)", "models", "measured", "failed", "verdict or state",
        "environment", "targets",
    )  # fmt: skip
    align = ("left", "left", "left", "right", "right", "right", "left", "left", "left")
    table = tabulate(cells, head, colalign=align, disable_numparse=True)
    if len({key for entry in entries for key in entry.environments}) > 1:
        table += "\n\nRuns of different environments are of machines that differ: never pooled, and"
        table += "\nnasprof compare session:A session:B says what differs."
    return table


def _verdicts(entry: HistoryEntry) -> str:
    """One word where all measurements agree, else how many are what."""
    if len(entry.verdicts) == 1:
        return entry.verdicts[0][0]
    return ", ".join(f"{count} {verdict}" for verdict, count in entry.verdicts)


def search_table(found: SearchFound, labels: Mapping[str, str] | None = None) -> str:
    """The Pareto set of a search, best accuracy first, with how the search went.

    `labels` may name candidates by their key.
    """
    limits, objectives = found.problem.constraints, found.problem.objectives
    keys = [*traded_keys(limits, objectives), *(limit.key for limit in limits), "macs", "params"]
    keys = list(dict.fromkeys(keys))
    lines = [_went(found)]
    if found.pareto:
        cells = [_trial_cells(t, keys, labels or {}, found.flags) for t in found.pareto]
        head = ("trial", "candidate", "accuracy", *(shown(key) for key in keys))
        align = ("right", "left", *("right",) * (len(keys) + 1))
        lines.append(tabulate(cells, head, colalign=align, disable_numparse=True))
    else:
        lines.append("no network to report")
    lines += _volume(progress(limits, objectives, found.trials))
    return "\n".join(lines + [shown(note, 1000) for note in found.notes])


def _went(found: SearchFound) -> str:
    """How many were tried, and how many of them were left to prediction."""
    tried = {trial.candidate.key for trial in found.trials}
    known = {t.candidate.key for t in found.trials if t.accuracy is not None}
    guessed = {t.candidate.key for t in found.trials if "inside_probability" in t.record}
    keys = [limit.key for limit in found.problem.constraints]
    guessed -= {
        t.candidate.key for t in found.trials if all(t.metrics.get(key) is not None for key in keys)
    }
    limits = " and ".join(limit_text(limit) for limit in found.problem.constraints)
    left = f", {len(guessed)} not measured, as prediction decided" if guessed else ""
    return (
        f"{len(tried)} candidates tried, {len(known)} accuracies found{left}; "
        f"{limits or 'no limit'}"
    )


def _volume(found: Progress | None) -> list[str]:
    if found is None:
        return []
    parts = [f"{key} up to {quantity(key, value)}" for key, value in found.reference.items()]
    half = f"{found.after(found.queries // 2):.4f} after half of the accuracies"
    box = listed(["accuracy 0 to 1", *(shown(part) for part in parts)])
    return [f"hypervolume {found.volume:.4f} ({half}), as a share of {box}"]


def _trial_cells(
    trial: TrialRecord,
    keys: Sequence[str],
    labels: Mapping[str, str],
    flags: Mapping[tuple[int, str], str],
) -> tuple[str, ...]:
    name = labels.get(trial.candidate.key, trial.candidate.key)
    values = []
    for key in keys:
        metric, _, target = key.partition("@")
        verdict = flags.get((trial.number, target.partition("/")[0]), "")
        mark = MARKS.get(verdict, "") if metric == "latency" else ""
        values.append(mark + quantity(key, trial.metrics.get(key)))
    return (f"#{trial.number}", short(name, 60), quantity("accuracy", trial.accuracy), *values)


def _outcome_cells(row: Row) -> tuple[str, ...]:
    bare = replace(row, streams=1).target.replace(f"/{row.threads}t", "")
    name = (short(row.label, 60), shown(bare, 60))
    threads = str(row.threads) + (f" x {row.streams}" if row.streams > 1 else "")
    if row.median_ns is None or row.low_ns is None or row.high_ns is None:
        why = f"failed: {row.failure or row.reasons}"
        if row.message:
            why += f" at {row.stage}: {shown(row.message, 160)}"
        return (*name, threads, row.batch or "", *("-",) * 7, why)
    mark = MARKS.get(row.verdict, "")
    return (
        *name,
        threads,
        row.batch or "?",
        f"{mark}{ms(row.median_ns)}",
        f"{ms(row.low_ns)} .. {ms(row.high_ns)}",
        "-" if row.p90_ns is None else ms(row.p90_ns),
        "-" if row.load_ns is None else ms(row.load_ns),
        "-" if row.first_run_ns is None else ms(row.first_run_ns),
        "-" if row.peak_rss_bytes is None else mib(row.peak_rss_bytes),
        "-" if row.error_relative is None else f"{row.error_relative:.1e}",
        row.judged,
    )


def _footnotes(rows: Sequence[Row]) -> list[str]:
    lines = [
        f"{MARKS[row.verdict]} {short(row.label, 60)} on {shown(row.target)}: {row.reasons}"
        for row in rows
        if row.verdict in MARKS and row.reasons
    ]
    lines += [
        f"{short(row.label, 60)} on {shown(row.target)}: {row.fp32_ratio:.2f} x fp32's latency, "
        f"{_agreement(row)}"
        for row in rows
        if row.fp32_ratio is not None
    ]
    lines += [f"{short(row.label, 60)} on {row.target}: {row.on_gpu}" for row in rows if row.on_gpu]
    lines += [
        f"{short(row.label, 60)} on {row.target}: {row.energy_mj:.4g} mJ an inference less idle, "
        f"by {row.meter}"
        for row in rows
        if row.energy_mj is not None
    ]
    if any(row.measured and row.p90_ns is None for row in rows):
        lines.append("p90 is '-' below 64 samples")
    return lines


def _agreement(row: Row) -> str:
    """How far the outputs are from the model's, and whether they still name the same class."""
    parts = [] if row.error_cosine is None else [f"cosine {row.error_cosine:.4f}"]
    parts += [] if row.error_top1 is None else [f"top-1 agreement {row.error_top1:.0%}"]
    return ", ".join(parts) or "outputs not compared"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "-"
