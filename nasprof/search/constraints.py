"""The grammar of limits: `latency@onnxruntime-cpu<=2ms` -> Constraint."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from profiler.core.choice import Constraint
from profiler.core.errors import InputError
from profiler.core.units import mib, ms, parse_quantity, si

_TIME = ("ns", "us", "µs", "ms", "s")
_BYTES = ("B", "KiB", "MiB", "GiB", "KB", "MB", "GB")
_COUNT = ("", "K", "M", "G", "T")
_SHAPE = re.compile(r"\s*([a-z_]+)\s*(?:@\s*([A-Za-z0-9._:/=-]+?))?\s*<=\s*(.+?)\s*")


@dataclass(frozen=True, slots=True)
class Metric:
    """What can be limited: its units, and whether it belongs to a target (None: either way)."""

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
    name, target, quantity = match[1], match[2], match[3]
    metric = METRICS.get(name)
    if metric is None:
        raise InputError(
            f"limit {text!r}: unknown metric {name!r}; the metrics are {', '.join(METRICS)}, "
            f"for example {METRICS['latency'].example!r}"
        )
    _check_target(text, name, target)
    return Constraint(name, target, _limit(text, metric, quantity))


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


def _check_target(text: str, name: str, target: str | None) -> None:
    metric = METRICS[name]
    if metric.on_target and target is None:
        raise InputError(f"limit {text!r}: {name} needs a target, for example {metric.example!r}")
    if metric.on_target is False and target is not None:
        raise InputError(
            f"limit {text!r}: {name} is the same on every target; leave out '@{target}', "
            f"for example {metric.example!r}"
        )


def _limit(text: str, metric: Metric, quantity: str) -> float:
    try:
        limit = parse_quantity(quantity, metric.units)
    except InputError as error:
        raise InputError(f"limit {text!r}: {error}; for example {metric.example!r}") from error
    if not 0 < limit < float("inf"):
        raise InputError(f"limit {text!r}: must be above 0, for example {metric.example!r}")
    return limit
