"""Axes: units that people read, and a scale that fits the spread of the values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from reports.quantities import shown

_LOG_FROM = 20.0
_NAMES = {
    "latency": "latency",
    "energy": "energy",
    "macs": "MACs of one inference",
    "flops": "FLOPs of one inference",
    "params": "parameters",
    "weight_bytes": "weights",
    "peak_memory": "peak memory",
}


def axis_unit(metric: str) -> tuple[float, str]:
    """Divisor and unit in which a metric is drawn."""
    name = metric.partition("@")[0]
    if name == "latency":
        return 1e6, "ms"
    if name == "energy":
        return 1.0, "mJ"
    if name.endswith("_bytes") or name == "peak_memory":
        return 2.0**20, "MiB"
    return 1e6, "million"


def axis_title(metric: str) -> str:
    """`latency on onnxruntime-cpu (ms)`."""
    name, _, target = metric.partition("@")
    place = f" on {shown(target, 60)}" if target else ""
    return f"{_NAMES.get(name, shown(name, 40))}{place} ({axis_unit(metric)[1]})"


def scale_axis(axes: Any, which: str, values: Sequence[float]) -> None:
    """Choose logarithmic or linear by the spread, set limits with room, and plain tick labels."""
    low, high = min(values), max(values)
    axis = getattr(axes, f"{which}axis")
    if low > 0 and high / low > _LOG_FROM:
        getattr(axes, f"set_{which}scale")("log")
        getattr(axes, f"set_{which}lim")(low / 1.35, high * 1.35)
        axis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0), numticks=12))
        axis.set_minor_formatter(NullFormatter())
    else:
        room = 0.09 * (high - low) or 0.1 * abs(high) or 1.0
        floor = 0.0 if 0 <= low - room < 0.15 * high or low - room < 0 <= low else low - room
        getattr(axes, f"set_{which}lim")(floor, high + room)
        axis.set_major_locator(MaxNLocator(7))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
