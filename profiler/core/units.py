"""Numbers as people read them, and read back."""

from __future__ import annotations

import re

from profiler.core.errors import InputError

_SCALES = {
    "ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9,
    "B": 1.0, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "KB": 1e3, "MB": 1e6, "GB": 1e9,
    "": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
    "mJ": 1.0, "J": 1e3,
}  # fmt: skip
_NUMBER = re.compile(r"([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-zµ]*)")


def parse_quantity(text: str, units: tuple[str, ...]) -> float:
    """Read `5ms`, `300M` or `20MiB` into base units (ns, counts, bytes, mJ).

    Raises: InputError when it is no number or its unit is not one of `units`.
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None or match[2] not in units:
        shown = ", ".join(unit or "a plain number" for unit in units)
        raise InputError(f"{text!r} is not a quantity here; give a number with one of: {shown}")
    return float(match[1]) * _SCALES[match[2]]


def ms(nanoseconds: float) -> str:
    """Nanoseconds as milliseconds with three significant digits or more."""
    value = nanoseconds / 1e6
    return f"{value:.4f}" if value < 0.1 else f"{value:.3f}" if value < 10 else f"{value:.2f}"


def mib(count: float) -> str:
    """Bytes as MiB."""
    return f"{count / 2**20:.2f}"


def si(count: float) -> str:
    """A count with an SI suffix: 15647370 is 15.65 M."""
    for scale, suffix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(count) >= scale:
            return f"{count / scale:.2f}{suffix}"
    return f"{count:g}"


def printable(text: str, limit: int = 200) -> str:
    """Text from a model made safe for a terminal: control characters escaped, length cut."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: limit + 1])
    return shown if len(text) <= limit else shown[:limit] + "..."
