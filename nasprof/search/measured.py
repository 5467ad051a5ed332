"""The measured costs of a search: which targets they need, and measuring a candidate on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from nasprof import measuring
from nasprof.search.recorded import Cost
from nasprof.subjects._subject import Subject
from profiler.bench.devices import require
from profiler.bench.environment import capture
from profiler.core.errors import InputError, MeasurementError
from profiler.core.outcome import Failure, Measurement
from profiler.core.summary import Verdict
from profiler.core.target import BenchPlan, Target
from profiler.core.target_text import parse_target
from profiler.store.store import Store
from profiler.worker.energy import find_meter

Note = Callable[[str], None]

MEASURED: Mapping[str, Callable[[Measurement], float | None]] = {
    "latency": lambda measured: measured.latency.median_ns,
    "energy": lambda measured: measured.energy_mj,
    "peak_memory": lambda measured: measured.memory_bytes,
}


@dataclass(frozen=True, slots=True)
class Place:
    """A target with the batch that is asked of it; None is the model's own."""

    target: Target
    batch: int | None


def places(costs: Iterable[Cost], threads: int) -> dict[str, Place]:
    """Where the costs have to be measured, by the text of their target.

    `threads` is for targets whose text says nothing of them.
    Raises: InputError for energy that nothing meters or a precision that there is none of,
    UnavailableError for a runtime that is not here.
    """
    found: dict[str, Place] = {}
    for cost in costs:
        if cost.recorded or cost.target is None:
            continue
        if cost.target not in found:
            found[cost.target] = _place(cost.target, threads)
        if cost.metric == "energy":
            _check_meter(cost.key, found[cost.target].target)
    return found


def _check_meter(key: str, target: Target) -> None:
    if target.device == "cpu" and find_meter(None) is None:
        raise InputError(
            f"{key} is unknown: this machine has no RAPL counter that this user may read; limit "
            "the latency, or look the energy of a device up with energy@recorded:DEVICE"
        )


def _place(text: str, threads: int) -> Place:
    parsed = parse_target(text)
    device = require(parsed.runtime)
    precision = parsed.precision or "fp32"
    if precision not in device.precisions:
        raise InputError(
            f"target {text!r}: {parsed.runtime} has no precision {precision!r}; it has: "
            f"{', '.join(device.precisions)}"
        )
    options = parsed.options
    target = Target(parsed.runtime, device.kind, precision, parsed.threads or threads, options)
    return Place(target, parsed.batch)


@dataclass(frozen=True, slots=True)
class Bench:
    """Measures candidates: the first time from the store where it has them, again always anew.

    What comes out noisy or invalid the first time is measured once more under the full plan, and
    the surer of the two counts.
    """

    places: Mapping[str, Place]
    seed: int
    store: Store

    def measure(
        self, subject: Subject, ready: measuring.Ready, *, again: bool, on_note: Note
    ) -> tuple[dict[str, Measurement], bool]:
        """Measure on every place, by its text; `ready` is the subject without a batch.

        The second value says whether the store held all of it already.
        Raises: MeasurementError with the reason of the first target that gave no number.
        """
        found: dict[str, Measurement] = {}
        held = True
        for batch in dict.fromkeys(place.batch for place in self.places.values()):
            sizes = measuring.Sizes(batch)
            model = ready
            if batch is not None:
                model = measuring.prepare(subject, sizes, self.seed, self.store, on_note)
            here = {t: p.target for t, p in self.places.items() if p.batch == batch}
            measured, stored = self._on(model, sizes, here, again)
            found |= measured
            held &= stored
        return found, held

    def _on(
        self,
        ready: measuring.Ready,
        sizes: measuring.Sizes,
        here: Mapping[str, Target],
        again: bool,
    ) -> tuple[dict[str, Measurement], bool]:
        dims = tuple(sorted(measuring.dims_of(sizes).items()))
        full = BenchPlan(seed=self.seed, dims=dims)
        quick = BenchPlan.quick(seed=self.seed, dims=dims)
        if again:
            return self._new(ready, sizes, here, full), False
        stored = self._stored(ready, here, quick)
        missing = {text: target for text, target in here.items() if text not in stored}
        found = stored | self._new(ready, sizes, missing, quick)
        held = not missing
        shaky = {text: here[text] for text, measured in found.items() if not _valid(measured)}
        longer = self._stored(ready, shaky, full)
        missing = {text: target for text, target in shaky.items() if text not in longer}
        longer |= self._new(ready, sizes, missing, full)
        surer = {text: _surer(found[text], other) for text, other in longer.items()}
        return found | surer, held and not missing

    def _stored(
        self, ready: measuring.Ready, here: Mapping[str, Target], plan: BenchPlan
    ) -> dict[str, Measurement]:
        key = capture().key
        found = {
            text: self.store.find_measurement(ready.model.sha256, target, plan, key, plan.processes)
            for text, target in here.items()
        }
        return {text: measured for text, measured in found.items() if measured is not None}

    def _new(
        self,
        ready: measuring.Ready,
        sizes: measuring.Sizes,
        missing: Mapping[str, Target],
        plan: BenchPlan,
    ) -> dict[str, Measurement]:
        targets = list(dict.fromkeys(missing.values()))
        if not targets:
            return {}
        outcomes = measuring.measure_models(
            [ready], targets, sizes, plan, self.store, lambda done, total, text: None
        )
        by_target = dict(zip(targets, map(_number, outcomes), strict=True))
        return {text: by_target[target] for text, target in missing.items()}


def verdicts(found: Mapping[str, Measurement]) -> dict[str, str]:
    """Whether each latency can be used, by the text of its target."""
    return {text: measured.latency.verdict.value for text, measured in found.items()}


def metrics(costs: Sequence[Cost], found: Mapping[str, Measurement]) -> dict[str, float | None]:
    """The measured ones among the costs, by key. Unit: base units."""
    return {
        cost.key: MEASURED[cost.metric](found[cost.target])
        for cost in costs
        if cost.target is not None and not cost.recorded
    }


def _number(outcome: Measurement | Failure) -> Measurement:
    if isinstance(outcome, Failure):
        raise MeasurementError(f"{outcome.target.runtime}: {outcome.kind}: {outcome.message}")
    return outcome


def _valid(measured: Measurement) -> bool:
    return measured.latency.verdict is Verdict.VALID


def _surer(first: Measurement, second: Measurement) -> Measurement:
    if _valid(second) or second.latency.half_width <= first.latency.half_width:
        return second
    return first
