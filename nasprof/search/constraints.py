"""The grammar of limits and objectives: `latency@onnxruntime-cpu/2t<=2ms` -> Constraint."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from profiler.core.choice import ACCURACY, RECORDED, Constraint, Objective
from profiler.core.errors import InputError
from profiler.core.target_text import parse_target
from profiler.core.units import mib, ms, parse_quantity, si

_TIME = ("ns", "us", "µs", "ms", "s")
_BYTES = ("B", "KiB", "MiB", "GiB", "KB", "MB", "GB")
_COUNT = ("", "K", "M", "G", "T")
_PLACE = r"\s*([a-z_]+)\s*(?:@\s*([A-Za-z0-9._:/=-]+?))?\s*"
_SHAPE = re.compile(rf"{_PLACE}<=\s*(.+?)\s*")
_KEY = re.compile(_PLACE)


@dataclass(frozen=True, slots=True)
class Metric:
    """What a network costs: its units, and whether it belongs to a target (None: either way)."""

    units: tuple[str, ...]
    on_target: bool | None
    example: str


METRICS: Mapping[str, Metric] = {
    "latency": Metric(_TIME, True, "latency@onnxruntime-cpu<=2ms"),
    "energy": Metric(("mJ", "J"), True, "energy@onnxruntime-cpu<=5mJ"),
    "macs": Metric(_COUNT, False, "macs<=300M"),
    "flops": Metric(_COUNT, False, "flops<=600M"),
    "params": Metric(_COUNT, False, "params<=3M"),
    "weight_bytes": Metric(_BYTES, False, "weight_bytes<=5MiB"),
    "peak_memory": Metric(_BYTES, None, "peak_memory<=20MiB"),
}


def parse_constraint(text: str) -> Constraint:
    """Read one limit, for example `macs<=300M`.

    Unit: the constraint's limit is in base units (ns, counts, bytes, mJ).
    Raises: InputError that names the text and shows an example.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise InputError(
            f"limit {text!r} is not METRIC[@TARGET]<=QUANTITY, for example "
            f"{METRICS['latency'].example!r} or {METRICS['macs'].example!r}"
        )
    what = f"limit {text!r}"
    metric = _metric(what, match[1], "limit")
    target = _target(what, match[1], match[2], metric.example)
    return Constraint(match[1], target, _limit(text, metric, match[3]))


def parse_constraints(texts: Iterable[str]) -> tuple[Constraint, ...]:
    """Read several limits, each text one limit or several parted by commas.

    Raises: InputError when a text is no limit or one metric is limited twice.
    """
    found: dict[str, Constraint] = {}
    for text in texts:
        for part in text.split(","):
            constraint = parse_constraint(part)
            if constraint.key in found:
                raise InputError(f"limit {part.strip()!r}: {constraint.key} is limited twice")
            found[constraint.key] = constraint
    return tuple(found.values())


def parse_objectives(maximize: Iterable[str], minimize: Iterable[str]) -> tuple[Objective, ...]:
    """Read what is to be large and what small, each text one metric or several parted by commas.

    Accuracy is the first of them, named or not; with nothing to make small there are none, which
    stands for accuracy alone.
    Raises: InputError for an unknown metric, one named twice, or a cost that is to be large.
    """
    for part in (part for text in maximize for part in text.split(",")):
        if part.strip() != ACCURACY.key:
            raise InputError(f"--maximize {part!r}: only accuracy can be; costs are minimized")
    costs = [_objective(part) for text in minimize for part in text.split(",")]
    for number, objective in enumerate(costs):
        if objective in costs[:number]:
            raise InputError(f"--minimize {objective.key!r} is given twice")
    return (ACCURACY, *costs) if costs else ()


def show_value(metric: str, value: float) -> str:
    """A value of a metric as people read it: `1.234 ms`, `15.65 M`, `20.00 MiB`."""
    units = METRICS[metric].units
    if units == _TIME:
        return f"{ms(value)} ms"
    if units == _BYTES:
        return f"{mib(value)} MiB"
    return si(value) if units == _COUNT else f"{value:.3g} mJ"


def show(constraint: Constraint) -> str:
    """A constraint as people read it: `latency@onnxruntime-cpu <= 2.000 ms`."""
    return f"{constraint.key} <= {show_value(constraint.metric, constraint.limit)}"


def excess(constraints: Sequence[Constraint], values: Mapping[str, float]) -> float:
    """How far values are outside the limits: the worst ratio to a limit less 1, at most 0 inside.

    A limited metric without a value counts as infinitely far outside: unknown is never fine.
    """
    ratios = (values.get(c.key, float("inf")) / c.limit for c in constraints)
    return max(ratios, default=1.0) - 1.0


def _objective(text: str) -> Objective:
    match, what = _KEY.fullmatch(text), f"--minimize {text!r}"
    if match is None:
        example = METRICS["latency"].example.partition("<")[0]
        raise InputError(f"{what} is not METRIC[@TARGET], for example {example!r} or 'macs'")
    metric = _metric(what, match[1], "minimize")
    example = metric.example.partition("<")[0]
    return Objective(match[1], _target(what, match[1], match[2], example))


def _metric(what: str, name: str, verb: str) -> Metric:
    if name == ACCURACY.metric:
        raise InputError(
            f"{what}: a search maximizes accuracy; {verb} a cost instead, for example "
            f"{METRICS['latency'].example!r}"
        )
    metric = METRICS.get(name)
    if metric is None:
        raise InputError(
            f"{what}: unknown metric {name!r}; the metrics are {', '.join(METRICS)}, "
            f"for example {METRICS['latency'].example!r}"
        )
    return metric


def _target(what: str, name: str, target: str | None, example: str) -> str | None:
    """The target in the one order of its parts, so that equal targets have equal keys."""
    metric = METRICS[name]
    if metric.on_target and target is None:
        raise InputError(f"{what}: {name} needs a target, for example {example!r}")
    if metric.on_target is False and target is not None:
        raise InputError(
            f"{what}: {name} is the same on every target; leave out '@{target}', "
            f"for example {example!r}"
        )
    if target is None or target.startswith(f"{RECORDED}:"):
        return target
    try:
        return parse_target(target).key
    except InputError as error:
        raise InputError(f"{what}: {error}; for example {example!r}") from error


def _limit(text: str, metric: Metric, quantity: str) -> float:
    try:
        limit = parse_quantity(quantity, metric.units)
    except InputError as error:
        raise InputError(f"limit {text!r}: {error}; for example {metric.example!r}") from error
    if not 0 < limit < float("inf"):
        raise InputError(f"limit {text!r}: must be above 0, for example {metric.example!r}")
    return limit
