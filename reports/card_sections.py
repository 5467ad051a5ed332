"""What a deployment card tells: the model, latency, cold start, memory, sweep, variants, origin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from profiler.core.tensor import TensorSpec
from profiler.core.units import si
from reports.card import (
    FILE,
    GRAPH,
    Card,
    Figure,
    Line,
    Measured,
    Section,
    Sources,
    doubt_lines,
    failed_lines,
    size_figure,
    time_figure,
)
from reports.machines import environment_lines
from reports.quantities import UNKNOWN, shown
from reports.rows import Row
from reports.sweeps import Point, knees, sweeps


def card(found: Measured) -> Card:
    """Lay out what was found."""
    sources = Sources(found.outcomes)
    base = sources.measured(found.base)
    sections = (
        _model(found),
        _latency(found, base),
        _cold(base),
        _memory(found, base),
        *_sweep(found, sources),
        *_variants(found, base, sources),
        _provenance(found, sources),
    )
    title = f"Deployment card: {shown(found.model.label, 80)}"
    return Card(title, sections, sources.raw, found.model, found.environment)


def _model(found: Measured) -> Section:
    cost, model = found.cost, found.model
    lines = [Line("size with all weights", (size_figure(FILE, model.size_bytes),))]
    notes = [*map(_spec, model.inputs), *found.notes]
    if cost is None:
        return Section("Model", ("figure",), tuple(lines), (*notes, "its graph can't be counted"))
    counts = {
        "parameters": cost.params if cost.module_params is None else cost.module_params,
        "MACs": cost.macs,
        "FLOPs (2 x MACs and other arithmetic)": cost.flops,
    }
    lines += [Line(n, (Figure(si(v), v, "count", GRAPH),)) for n, v in counts.items()]
    if not cost.complete:
        notes.append("some operators have no rule and are not counted; see nasprof inspect")
    return Section("Model", ("figure",), tuple(lines), tuple(notes))


def _spec(spec: TensorSpec) -> str:
    shape = "x".join("?" if size is None else str(size) for size in spec.shape or ())
    return f"input {shown(spec.name, 40)}: {spec.dtype} {shown(shape, 60)}"


def _latency(found: Measured, base: Sequence[tuple[str, Row]]) -> Section:
    lines = []
    for name, row in base:
        low, median, high, p90, p99 = (
            time_figure(name, value, row.verdict)
            for value in (row.low_ns, row.median_ns, row.high_ns, row.p90_ns, row.p99_ns)
        )
        rate = row.throughput_per_s
        shown_rate = Figure(UNKNOWN)
        if rate is not None:
            shown_rate = Figure(f"{rate:.4g}/s", rate, "1/s", name, row.verdict)
        energy = Figure(UNKNOWN)
        if row.energy_mj is not None:
            energy = Figure(f"{row.energy_mj:.4g} mJ", row.energy_mj, "mJ", name)
        lines.append(Line(row.target, (median, low, high, p90, p99, shown_rate, energy)))
    notes = [*failed_lines(found.base), *doubt_lines(base)]
    if any(row.p90_ns is None or row.p99_ns is None for _, row in base):
        notes.append("a percentile needs enough samples: p90 64, p99 662")
    meters = sorted({row.meter for _, row in base if row.meter})
    notes += [f"energy of one inference less what the machine draws idle, by {m}" for m in meters]
    if base and not meters:
        notes.append("energy is unknown: this machine has no meter that can be read (RAPL, NVML)")
    batch = next((row.batch for _, row in base if row.batch), "1")
    head = ("median", "95 % from", "to", "p90", "p99", "inferences", "energy")
    return Section(f"Latency at batch {batch}", head, tuple(lines), tuple(notes))


def _cold(base: Sequence[tuple[str, Row]]) -> Section:
    lines = []
    for name, row in base:
        phases = (row.start_ns, row.import_ns, row.load_ns, row.first_run_ns)
        known = [phase for phase in phases if phase is not None]
        whole = sum(known) if len(known) == len(phases) else None
        figures = tuple(time_figure(name, phase) for phase in (*phases, whole))
        lines.append(Line(row.target, figures))
    counts = sorted({row.processes for _, row in base if row.processes})
    note = f"medians of {' or '.join(map(str, counts))} fresh processes; the file was in memory"
    head = ("process", "runtime's import", "model's load", "first inference", "together")
    return Section("Cold start by phase", head, tuple(lines), (note,) if base else ())


def _memory(found: Measured, base: Sequence[tuple[str, Row]]) -> Section:
    cost = found.cost
    weights = None if cost is None else cost.weight_bytes
    peak = None if cost is None else cost.peak_activation_bytes
    planned = (size_figure(GRAPH, weights), size_figure(GRAPH, peak))
    lines = []
    for name, row in base:
        measured = [size_figure(name, row.memory_bytes), size_figure(name, row.peak_rss_bytes)]
        if row.gpu_memory_bytes is not None:
            measured.append(size_figure(name, row.gpu_memory_bytes))
        lines.append(Line(row.target, (*planned, *measured)))
    on_gpu = ("on the GPU",) if any(row.gpu_memory_bytes is not None for _, row in base) else ()
    head = ("planned weights", "planned activations", "grown since load", "process's peak", *on_gpu)
    return Section("Memory", head, tuple(lines))


def _sweep(found: Measured, sources: Sources) -> Iterator[Section]:
    measured = sources.measured((*found.base, *found.swept))
    names = {id(row): name for name, row in measured}
    failed = failed_lines(found.swept)
    targets = dict.fromkeys(row.target for _, row in measured)
    for points in chain.from_iterable(
        sweeps(row for _, row in measured if row.target == target) for target in targets
    ):
        lines = tuple(_point(names[id(p.row)], p) for p in sorted(points, key=lambda p: p.batch))
        notes = [
            f"the knee is at {knee.axis} {knee.at}: {knee.share:.0%} of the most items a second, "
            f"which {knee.axis} {knee.best} has"
            for knee in knees(points)
            if knee.axis == "batch"
        ]
        if found.limit_ns is not None:
            notes.append(_best(points, found.limit_ns))
        notes += doubt_lines((names[id(p.row)], p.row) for p in points if p.batch > 1)
        title = f"Batch sweep on {points[0].row.target}"
        yield Section(title, ("median", "95 % to", "items"), lines, (*notes, *failed))
        failed = []


def _point(name: str, point: Point) -> Line:
    row = point.row
    rate = Figure(f"{point.rate:.4g}/s", point.rate, "1/s", name, row.verdict)
    times = (time_figure(name, value, row.verdict) for value in (row.median_ns, row.high_ns))
    return Line(f"batch {point.batch}", (*times, rate))


def _best(points: Sequence[Point], limit_ns: float) -> str:
    """The batch with most items a second whose interval ends within the limit."""
    limit = time_figure("", limit_ns).text
    inside = [p for p in points if p.row.high_ns is not None and p.row.high_ns <= limit_ns]
    if not inside:
        return f"no batch is surely within {limit}"
    best = max(inside, key=lambda point: point.rate)
    return f"best batch surely within {limit}: {best.batch}, {best.rate:.4g} items a second"


def _variants(
    found: Measured, base: Sequence[tuple[str, Row]], sources: Sources
) -> Iterator[Section]:
    if not found.variants:
        return
    variants = sources.measured(found.variants)
    originals = {_but_precision(row): row for _, row in base}
    lines = []
    for name, row in (*base, *variants):
        original = originals.get(_but_precision(row))
        lines.append(_variant(name, row, original if original is not row else None))
    notes = [*failed_lines(found.variants), *doubt_lines(variants)]
    head = ("median", "speed-up", "error of outputs", "cosine", "same top-1")
    yield Section("Precisions side by side", head, tuple(lines), tuple(notes))


def _but_precision(row: Row) -> tuple[str, int, str]:
    return row.runtime, row.threads, row.options


def _variant(name: str, row: Row, original: Row | None) -> Line:
    speedup, remarks = Figure("-"), list(row.doubts)
    if original is not None and original.median_ns and row.median_ns:
        ratio = original.median_ns / row.median_ns
        verdict = max(row.verdict, original.verdict, key=("valid", "noisy", "invalid").index)
        speedup = Figure(f"{ratio:.2f}x", ratio, "", name, verdict)
        slower = row.low_ns is not None and original.high_ns is not None
        if slower and (row.low_ns or 0) > (original.high_ns or 0):
            remarks.append(f"slower than {original.precision}")
    drift = [
        Figure(UNKNOWN) if value is None else Figure(format(value, form), value, "", name)
        for value, form in (
            (row.error_relative, ".1e"), (row.error_cosine, ".6f"), (row.error_top1, ".1%"),
        )
    ]  # fmt: skip
    figures = (time_figure(name, row.median_ns, row.verdict), speedup, *drift)
    return Line(row.target, figures, ", ".join(remarks))


def _provenance(found: Measured, sources: Sources) -> Section:
    lines = []
    for name, row in sources.measured(found.outcomes):
        figures = (
            Figure(row.batch or "?", source=name),
            Figure(str(row.samples), row.samples, "count", name),
            Figure(str(row.processes), row.processes, "count", name),
            Figure(row.verdict, source=name),
            Figure(row.session, source=name),
            Figure(row.plan_key, source=name),
        )
        lines.append(Line(f"{name} {row.target}", figures))
    notes = [f"model sha256 {found.model.sha256}", *environment_lines(found.environment)]
    head = ("batch", "samples", "processes", "verdict", "session", "plan")
    return Section("Provenance", head, tuple(lines), tuple(notes))
