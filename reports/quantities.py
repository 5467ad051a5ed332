"""Values and names as people read them; a name from a model is data, whatever it holds."""

from __future__ import annotations

import pwd
import re
from collections.abc import Iterable
from os import getuid

from profiler.core.choice import Constraint
from profiler.core.units import mib, ms, printable, si

UNKNOWN = "unknown"
_HOMES = re.compile(r"/(?:home|Users)/[^/\s'\":]+|/root(?=/)")


def shown(text: str, limit: int = 200) -> str:
    """Text from a model or a message: one line, no control characters, cut, no home folder."""
    return printable(_without_home(text[: limit * 4]), limit)


def short(text: str, limit: int) -> str:
    """A name cut in its middle: beginning and end tell names of one family apart."""
    text = shown(text)
    if len(text) <= limit:
        return text
    head = (limit - 1) * 3 // 5
    return f"{text[:head]}…{text[head + 1 - limit :]}"


def quantity(metric: str, value: float | None) -> str:
    """A value of a metric or constraint key in its unit on screen.

    Unit: `value` is in base units (ns, bytes, counts, mJ), accuracy is a share.
    """
    if value is None:
        return UNKNOWN
    name = metric.partition("@")[0]
    if name == "accuracy":
        return f"{value:.2%}"
    if name == "latency":
        return f"{ms(value)} ms"
    if name.endswith("_bytes") or name == "peak_memory":
        return f"{mib(value)} MiB"
    return f"{value:.3g} mJ" if name == "energy" else si(value)


def limit_text(constraint: Constraint) -> str:
    """A limit as a sentence part: `latency@onnxruntime-cpu ≤ 2.000 ms`."""
    return f"{shown(constraint.key)} ≤ {quantity(constraint.metric, constraint.limit)}"


def count_text(count: int, noun: str) -> str:
    """`1 model`, `3 models`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(parts: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    every = list(parts)
    return " and ".join(part for part in (", ".join(every[:-1]), *every[-1:]) if part)


def _without_home(text: str) -> str:
    # The password file and not $HOME: what a report shows does not hang on the caller's variables.
    try:
        home = pwd.getpwuid(getuid()).pw_dir
    except KeyError:
        home = ""
    if len(home) > 1:
        text = text.replace(f"{home}/", "~/")
    return _HOMES.sub("~", text)
