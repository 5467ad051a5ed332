"""Comparisons as a table for the terminal, as Markdown for a pull request, and as plain rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from profiler.core.comparison import Compared, Comparison
from profiler.core.outcome import Failure, Measurement, Outcome
from profiler.core.units import ms
from reports.quantities import short, shown
from reports.rows import outcome_row
from reports.to_json import outcome_rows

_HEAD = ("model", "target", "batch", "median ms", "ratio", "95% interval", "decision")
_ALIGN = ("left", "left", "right", "right", "right", "left", "left")
_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\|`*_<>[]~#"})


def comparison_table(found: Sequence[Compared]) -> str:
    """The base of each comparison and what was compared with it, then reasons and notes.

    Unit: ms for one inference of the batch; the ratio is new over base, so above 1 is slower.
    """
    rows = _rows(found)
    table = tabulate(
        rows, _HEAD, colalign=_ALIGN, disable_numparse=True, maxcolwidths=[34, 30, *[None] * 4, 44]
    )
    return "\n".join([table, *_remarks(found)])


def comparison_markdown(found: Sequence[Compared]) -> str:
    """The same as a table of GitHub's Markdown, with a line that says how to read it."""
    lines = [
        f"| {' | '.join(_HEAD)} |",
        f"|{'|'.join('---:' if align == 'right' else '---' for align in _ALIGN)}|",
    ]
    for row in _rows(found):
        cells = [cell.translate(_MARKDOWN) for cell in row]
        if cells[-1]:
            cells[-1] = f"**{cells[-1]}**"
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "Latency of one inference of the batch; ratio above 1: slower than the base."]
    lines += [f"- {remark.translate(_MARKDOWN)}" for remark in _remarks(found)]
    return "\n".join(lines)


def comparison_rows(found: Sequence[Compared]) -> list[dict[str, Any]]:
    """Each comparison in JSON's types: both outcomes as rows, the figures, the decision."""
    return [
        {
            "base": outcome_rows([one.base])[0],
            "new": outcome_rows([one.new])[0],
            "decision": None if one.comparison is None else one.comparison.decision.value,
            "ratio": None if one.comparison is None else one.comparison.ratio,
            "low": None if one.comparison is None else one.comparison.low,
            "high": None if one.comparison is None else one.comparison.high,
            "pairs": None if one.comparison is None else one.comparison.pairs,
            "disturbed": None if one.comparison is None else one.comparison.disturbed,
            "reasons": [] if one.comparison is None else list(one.comparison.reasons),
            "notes": list(one.notes),
        }
        for one in found
    ]


def _rows(found: Sequence[Compared]) -> list[tuple[str, ...]]:
    rows = list[tuple[str, ...]]()
    shown_base: Outcome | None = None
    for one in found:
        if one.base is not shown_base:
            rows.append((*_side(one.base), "base", "", ""))
            shown_base = one.base
        rows.append((*_side(one.new), *_figures(one.comparison)))
    return rows


def _side(outcome: Outcome) -> tuple[str, str, str, str]:
    row = outcome_row(outcome)
    median = "failed" if row.median_ns is None else ms(row.median_ns)
    return short(row.label, 60), shown(row.target, 60), row.batch or "", median


def _figures(found: Comparison | None) -> tuple[str, str, str]:
    if found is None:
        return "-", "-", "no measurement"
    # An interval of too few pairs is infinite.
    interval = f"{found.low:.3f} .. {found.high:.3f}" if found.low > 0 else "unknown"
    return f"{found.ratio:.3f}", interval, found.decision.value


def _remarks(found: Sequence[Compared]) -> list[str]:
    lines = []
    for one in found:
        name = short(one.new.label, 60)
        for outcome in (one.base, one.new):
            if isinstance(outcome, Failure):
                label = short(outcome.label, 60)
                lines.append(f"{label} failed: {outcome.kind}: {shown(outcome.message, 160)}")
        if one.comparison is not None and one.comparison.reasons:
            lines.append(f"{name}: {'; '.join(one.comparison.reasons)}")
        lines += [shown(note, 300) for note in one.notes]
    pairs = {one.comparison.pairs for one in found if one.comparison is not None}
    processes = sum(
        len(outcome.attempts)
        for outcome in {id(side): side for one in found for side in (one.base, one.new)}.values()
        if isinstance(outcome, Measurement)
    )
    if pairs - {None}:
        lines.append(f"measured in turns by {processes} fresh processes")
    return list(dict.fromkeys(lines))
