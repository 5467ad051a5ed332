"""Measure what a deployment card tells: targets, then batches, then other precisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from nasprof.exporting import Reference
from nasprof.measuring import Note, Ready, Sizes, dims_of, measure_models, prepare, warn
from profiler.bench.devices import require
from profiler.bench.measure import Progress
from profiler.core.outcome import Outcome
from profiler.core.target import BenchPlan, Target
from profiler.store.store import Store
from reports.card import Measured


@dataclass(frozen=True, slots=True)
class Question:
    """What a card is asked for.

    Unit: `limit_ns` is the longest time of one inference of a batch, None for any.
    """

    model: Reference
    targets: tuple[Target, ...]
    batches: tuple[int, ...] = (1, 2, 4, 8)
    limit_ns: float | None = None
    dims: Mapping[str, int] = field(default_factory=dict)
    input_shape: tuple[int, ...] | None = None
    quick: bool = False
    seed: int = 0

    def sizes(self, batch: int | None) -> Sizes:
        """The sizes at a batch."""
        return Sizes(batch, self.dims, self.input_shape)


def fill(question: Question, store: Store, on_progress: Progress, on_note: Note) -> Measured:
    """Measure everything that the card tells; what failed is an outcome in it.

    The targets are measured by the full plan, other batches and precisions by the quick one.
    Raises: InputError for bad input, before anything is measured.
    """
    first, *others = question.batches
    sizes = question.sizes(None if first == 1 else first)
    on_progress(0, 1, f"preparing {question.model}")
    ready = prepare(question.model, sizes, question.seed, store, on_note)
    fixed = fixed_batch(ready)
    warn([target.threads for target in question.targets], on_note)
    phases = 2 + (0 if fixed is not None else len(others))
    base = _measure(
        ready, question.targets, sizes, question, store, _part(on_progress, 0, phases),
        quick=question.quick,
    )  # fmt: skip
    swept: list[Outcome] = []
    for number, batch in enumerate(others if fixed is None else (), 1):
        at = question.sizes(batch)
        other = prepare(question.model, at, question.seed, store, on_note)
        step = _part(on_progress, number, phases)
        swept += _measure(other, question.targets, at, question, store, step)
    variants = _measure(
        ready, _variants(question.targets), sizes, question, store,
        _part(on_progress, phases - 1, phases),
    )  # fmt: skip
    model, environment = store.model(ready.model.sha256), store.environment(base[0].environment_key)
    assert model is not None
    assert environment is not None
    notes = () if fixed is None or not others else (_no_sweep(fixed),)
    return Measured(
        model, ready.cost, environment, tuple(base), tuple(swept), tuple(variants),
        question.limit_ns, notes,
    )  # fmt: skip


def fixed_batch(ready: Ready) -> int | None:
    """The batch of an ONNX file that allows no other; None for free ones and other subjects."""
    if ready.subject is not None:
        return None
    first = [spec.shape[0] for spec in ready.model.inputs if spec.shape]
    return next((size for size in first if isinstance(size, int)), None)


def _no_sweep(batch: int) -> str:
    return (
        f"no batch sweep: the file's batch is fixed at {batch}; export it with --dynamic-batch "
        "for one"
    )


def _measure(
    ready: Ready, targets: Sequence[Target], sizes: Sizes, question: Question, store: Store,
    on_progress: Progress, *, quick: bool = True,
) -> list[Outcome]:  # fmt: skip
    dims = tuple(sorted(dims_of(sizes).items()))
    plan = BenchPlan(seed=question.seed, dims=dims)
    if quick:
        plan = BenchPlan.quick(seed=question.seed, dims=dims)
    return measure_models([ready], targets, sizes, plan, store, on_progress)


def _variants(targets: Sequence[Target]) -> list[Target]:
    """The other precisions that each runtime has here."""
    return [
        replace(target, precision=precision)
        for target in targets
        for precision in require(target.runtime).precisions
        if precision != target.precision
    ]


def _part(on_progress: Progress, number: int, parts: int) -> Progress:
    """Progress of one part as that of the whole."""

    def step(done: int, total: int, text: str) -> None:
        on_progress(number * total + done, parts * total, text)

    return step
