"""The grammar of a pruning's limits: `macs<=50%`, `params<=1M`, `latency@onnxruntime-cpu<=0.6x`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from profiler.core.errors import InputError
from profiler.core.target_text import parse_target
from profiler.core.units import ms, parse_quantity, si

EXAMPLES = "macs<=50%, params<=1M or latency@onnxruntime-cpu<=0.6x"
_UNITS = {
    "macs": ("", "K", "M", "G", "T"),
    "params": ("", "K", "M", "G", "T"),
    "latency": ("ns", "us", "µs", "ms", "s"),
}
_SHAPE = re.compile(r"\s*([a-z_]+)\s*(?:@\s*([A-Za-z0-9._:/=-]+?))?\s*<=\s*(.+?)\s*")
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([%x])")


@dataclass(frozen=True, slots=True)
class Limit:
    """An upper limit, as a `share` of the unpruned network or as a `value`; the other is None.

    Unit: `value` in counts or ns.
    """

    text: str
    metric: str
    target: str | None
    share: float | None
    value: float | None

    def of(self, base: float) -> float:
        """The limit for a network that costs `base` before it is pruned."""
        if self.share is not None:
            return self.share * base
        assert self.value is not None
        return self.value

    def show(self, value: float) -> str:
        """A value of this limit's metric as people read it."""
        return f"{ms(value)} ms" if self.metric == "latency" else si(value)


def parse_limits(texts: Iterable[str]) -> tuple[Limit, ...]:
    """Read limits, each text one or several parted by commas.

    Raises: InputError that names the text that is none, or a metric that is limited twice.
    """
    found: dict[str, Limit] = {}
    for part in (part for text in texts for part in text.split(",")):
        limit = parse_limit(part)
        if limit.metric in found:
            raise InputError(f"limit {part.strip()!r}: {limit.metric} is limited twice")
        found[limit.metric] = limit
    return tuple(found.values())


def parse_limit(text: str) -> Limit:
    """Read one limit.

    Raises: InputError that names the text and shows examples.
    """
    match = _SHAPE.fullmatch(text)
    what = f"limit {text.strip()!r}"
    if match is None or match[1] not in _UNITS:
        raise InputError(f"{what} is none; write for example {EXAMPLES}")
    metric, target = match[1], match[2]
    if (metric == "latency") != (target is not None):
        verb = "needs a target" if target is None else "is the same on every target"
        raise InputError(f"{what}: {metric} {verb}; write for example {EXAMPLES}")
    if target is not None:
        target = _target(what, target)
    share = _SHARE.fullmatch(match[3])
    if share is None:
        return Limit(text.strip(), metric, target, None, _value(what, metric, match[3]))
    part = float(share[1]) / (100 if share[2] == "%" else 1)
    if not 0 < part < 1:
        raise InputError(f"{what}: must be above 0 and below the whole; for example {EXAMPLES}")
    return Limit(text.strip(), metric, target, part, None)


def _target(what: str, text: str) -> str:
    try:
        return parse_target(text).key
    except InputError as error:
        raise InputError(f"{what}: {error}") from error


def _value(what: str, metric: str, quantity: str) -> float:
    try:
        value = parse_quantity(quantity, _UNITS[metric])
    except InputError as error:
        raise InputError(f"{what}: {error}; for example {EXAMPLES}") from error
    if not 0 < value < float("inf"):
        raise InputError(f"{what}: must be above 0; for example {EXAMPLES}")
    return value
