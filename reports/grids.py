"""Tables of the page: texts only, no markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profiler.core.tensor import TensorSpec
from profiler.core.units import mib, ms, si
from reports.gather import Material, Subject
from reports.quantities import UNKNOWN, short, shown
from reports.rows import MARKS, Row


@dataclass(frozen=True, slots=True)
class Cell:
    """A table cell; `note` is shown when a reader points at it, `mark` colours it."""

    text: str
    number: bool = False
    note: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: heads with their explanations, and lines of cells."""

    heads: tuple[tuple[str, str], ...]
    lines: tuple[tuple[Cell, ...], ...]


def measurement_grid(subjects: Sequence[Subject], letters: dict[str, str]) -> Grid:
    """The measurements, one a line."""
    heads = (
        ("Model", "file or subject; #n is a trial of the search"),
        ("Runtime", "what executed the model; point at it for its options"),
        ("Precision", "asked for and verified"),
        ("Threads", "threads inside an operator, times instances that ran at once"),
        ("Batch", "items in one inference"),
        ("Median ms", "time of one inference of the whole batch; ~ noisy, ! invalid"),
        ("95% interval", "of the median, between rounds and processes"),
        ("Per s", "inferences a second, of all instances together"),
        ("p90", "slower than 9 of 10 samples; only from 64 samples on"),
        ("Load ms", "time to create the session"),
        ("First ms", "time of the first inference"),
        ("Peak MiB", "peak resident memory of the worker process"),
        ("Error", "largest difference from the reference, relative to its largest value"),
        ("Verdict", "whether the number can be relied on"),
        ("Env", "environment, see below"),
    )
    lines = tuple(_measurement_cells(s.row, letters) for s in subjects)
    # One environment needs no column.
    last = len(heads) - (len(letters) < 2)
    return Grid(heads[:last], tuple(line[:last] for line in lines))


def _measurement_cells(row: Row, letters: dict[str, str]) -> tuple[Cell, ...]:
    why = shown(row.reasons)
    return (
        Cell(short(row.name, 60), note=f"{shown(row.label)} {row.model_sha256}"),
        Cell(shown(row.runtime, 60), note=shown(row.options)),
        Cell(shown(row.precision, 20)),
        Cell(f"{row.threads}" + (f" × {row.streams}" if row.streams > 1 else ""), number=True),
        Cell(shown(row.batch or "?", 20), number=True),
        Cell(
            MARKS.get(row.verdict, "") + _ms(row.median_ns), True, shown(row.reasons), row.verdict
        ),
        Cell(f"{_ms(row.low_ns)}–{_ms(row.high_ns)}", True, row.on_gpu),
        Cell("–" if row.throughput_per_s is None else f"{row.throughput_per_s:.4g}", number=True),
        Cell(_ms(row.p90_ns), number=True),
        Cell(_ms(row.load_ns), number=True),
        Cell(_ms(row.first_run_ns), number=True),
        Cell("–" if row.peak_rss_bytes is None else mib(row.peak_rss_bytes), number=True),
        Cell("–" if row.error_relative is None else f"{row.error_relative:.1e}", number=True),
        Cell(row.judged, note=why, mark=row.verdict),
        Cell(letters.get(row.environment_key, "?")),
    )


def failure_grid(rows: Sequence[Row]) -> Grid:
    """The failed attempts with their reasons."""
    heads = (
        ("Model", ""), ("Target", ""), ("Threads", ""), ("What", "kind of failure"),
        ("Step", "the last step that the worker announced"), ("Message", ""),
    )  # fmt: skip
    lines = tuple(
        (
            Cell(shown(row.label), note=row.model_sha256),
            Cell(f"{shown(row.runtime, 60)} / {shown(row.precision, 20)}", note=shown(row.options)),
            Cell(str(row.threads), number=True),
            Cell((row.failure or UNKNOWN).replace("_", " ")),
            Cell((row.stage or UNKNOWN).replace("_", " ")),
            Cell(shown(row.message or "", 400)),
        )
        for row in rows
    )
    return Grid(heads, lines)


def model_grid(material: Material) -> Grid:
    """The measured models with their size and hash."""
    costs = {s.row.model_sha256: s.row for s in material.subjects}
    used = [model for sha256, model in material.models.items() if sha256 in costs]
    heads = (
        ("Model", ""), ("Size MiB", "with external weights"), ("Parameters", ""), ("MACs", ""),
        ("Inputs", ""), ("Opset", ""), ("SHA-256", "over the model and its weights"),
    )  # fmt: skip
    lines = tuple(
        (
            Cell(shown(model.label)),
            Cell(mib(model.size_bytes), number=True),
            Cell(_count(costs[model.sha256].params), number=True),
            Cell(_count(costs[model.sha256].macs), number=True),
            Cell(
                ", ".join(f"{shown(i.name, 40)} {i.dtype} {_shape(i.shape)}" for i in model.inputs)
            ),
            Cell(", ".join(f"{shown(name, 40) or 'onnx'} {n}" for name, n in model.opsets)),
            Cell(model.sha256[:16], note=model.sha256),
        )
        for model in used
    )
    return Grid(heads, lines)


def _ms(value: float | None) -> str:
    return "–" if value is None else ms(value)


def _count(value: float | None) -> str:
    return UNKNOWN if value is None else si(value)


def _input(spec: TensorSpec) -> str:
    return f"{shown(spec.name, 40)} {shown(spec.dtype, 20)} {_shape(spec.shape)}"


def _shape(shape: tuple[int | str | None, ...] | None) -> str:
    if shape is None:
        return "of unknown rank"
    return "×".join("?" if size is None else shown(str(size), 20) for size in shape) or "scalar"
