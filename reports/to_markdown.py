"""One Markdown table of all outcomes: latency, outputs, what really ran, why there is no number."""

from __future__ import annotations

from collections.abc import Iterator

from profiler.core.units import ms
from reports.gather import Material
from reports.machines import environment_letters, environment_lines
from reports.quantities import short, shown
from reports.rows import MARKS, Row

_HEAD = (
    "model", "runtime", "precision, options", "threads", "batch", "median ms", "95 % interval",
    "processes", "x fp32", "error", "cosine", "top-1", "ran as", "settings", "verdict, or why not",
)  # fmt: skip
_LEGEND = (
    "Latency is of one inference of the batch; `~` noisy, `!` invalid. Error is the largest "
    "difference of outputs over their scale, held against ONNX Runtime on the CPU without graph "
    "optimisation; the settings are those that the runtime reports."
)


def to_markdown(material: Material) -> str:
    """The newest outcome of every model, target and plan in one table; a machine's facts below.

    Unit: in the heads; `x fp32` is the latency as a share of the same target's at fp32.
    """
    rows = [row for row in material.rows if row.newest and row.trial is None]
    rows = sorted(_told_once(rows), key=_place)
    letters = environment_letters(material.environments)
    lines = ["# Measurements", "", _LEGEND, "", _line(_HEAD), _line(["---"] * len(_HEAD))]
    lines += [_line(_cells(row)) for row in rows]
    for key, environment in material.environments.items():
        lines += ["", f"Machine {letters[key]}:", ""]
        lines += [f"- {_text(line, 400)}" for line in environment_lines(environment)]
    return "\n".join(lines) + "\n"


def _told_once(rows: list[Row]) -> Iterator[Row]:
    """Without the failures of what was measured all the same, and without a failure's second try.

    A crash is tried once more, and both tries are stored.
    """
    seen = {_place(row) for row in rows if row.measured}
    for row in rows:
        if row.measured:
            yield row
        elif _place(row) not in seen:
            seen.add(_place(row))
            yield row


def _place(row: Row) -> tuple[object, ...]:
    return (
        row.label, row.model_sha256, row.runtime, row.precision, row.options, row.threads,
        row.streams, row.dims, row.plan_key, row.environment_key,
    )  # fmt: skip


def _cells(row: Row) -> list[str]:
    asked = ", ".join(part for part in (row.precision, *row.options.split("/")) if part)
    name = [short(row.label, 60), shown(row.runtime, 60), asked]
    threads = str(row.threads) + (f" x {row.streams}" if row.streams > 1 else "")
    if row.median_ns is None or row.low_ns is None or row.high_ns is None:
        why = f"{row.failure or 'no samples'}: {shown(row.message or row.reasons, 300)}"
        return [*name, threads, row.batch or "", *["-"] * 9, why]
    return [
        *name, threads, row.batch or "?", f"{MARKS.get(row.verdict, '')}{ms(row.median_ns)}",
        f"{ms(row.low_ns)} to {ms(row.high_ns)}", str(row.processes),
        _number(row.fp32_ratio, ".2f"), _number(row.error_relative, ".1e"),
        _number(row.error_cosine, ".4f"), _number(row.error_top1, ".0%"),
        row.ran_on or "?", row.settings or "?", row.judged,
    ]  # fmt: skip


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(_text(cell, 400) for cell in cells)} |"


def _text(cell: str, limit: int) -> str:
    """A cell that ends no cell and starts no markup."""
    return shown(cell, limit).replace("|", "\\|").replace("<", "&lt;")
