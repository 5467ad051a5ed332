"""A profile by operator for the terminal, and in JSON's types."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tabulate import tabulate

from profiler.core.profile import OperatorGroup, OperatorProfile, OperatorTime
from profiler.core.units import ms, si
from reports.quantities import short, shown

_NOTHING = ""


def profile_table(profile: OperatorProfile, top: int | None = None) -> str:
    """The operators that take longest, then the kinds that are slow for their MACs.

    Unit: ms for one inference; FLOPs are 2 x MACs plus the other arithmetic.
    """
    slowest = sorted(profile.operators, key=lambda operator: -operator.time_ns)[: top or 15]
    head = ("operator", "module or node", "ms", "time", "MACs", "FLOP/s", "byte/s", "of roofline",
            "bound by")  # fmt: skip
    align = ("left", "left", *("right",) * 6, "left")
    cells = [_cells(operator, profile.latency_ns) for operator in slowest]
    parts = [_summary(profile), "", tabulate(cells, head, colalign=align, disable_numparse=True)]
    left = len(profile.operators) - len(slowest)
    if left:
        rest = sum(operator.time_ns for operator in slowest)
        parts.append(
            f"{left} more operators take {1 - rest / profile.latency_ns:.1%}; --top shows more"
        )
    head = ("kind", "operators", "ms", "time", "MACs", "of MACs", "FLOP/s", "of roofline",
            "time beyond MACs")  # fmt: skip
    cells = [_group_cells(group) for group in profile.groups[: top or 15]]
    align = ("left", *("right",) * 8)
    parts += ["", "slow for their MACs first",
              tabulate(cells, head, colalign=align, disable_numparse=True)]  # fmt: skip
    return "\n".join(parts)


def profile_row(profile: OperatorProfile) -> dict[str, Any]:
    """A profile with all that is derived from it; FLOP/s and bytes a second in base units."""
    data = asdict(profile)
    data["label"] = shown(profile.label, 1000)
    data |= {"closure": profile.closure, "slow_down": profile.slow_down}
    for row, operator in zip(data["operators"], profile.operators, strict=True):
        row |= {
            "flops_per_s": operator.flops_per_s,
            "bytes_per_s": operator.bytes_per_s,
            "roofline_share": operator.roofline_share,
        }
    data["groups"] = [asdict(group) | {"excess": group.excess} for group in profile.groups]
    return data


def _summary(profile: OperatorProfile) -> str:
    lines = [
        f"{short(profile.label, 60)} on {shown(profile.target_key, 80)}: "
        f"{ms(profile.latency_ns)} ms ({profile.verdict}), {len(profile.operators)} operators",
        f"recorded in {profile.runs} runs; the profiler makes it {profile.slow_down:.2f} times as "
        f"long, {profile.cost_ns / 1e3:.1f} us an operator were taken off, and what was left, "
        f"{profile.closure:.1%} of an unprofiled run, was scaled to the latency",
    ]
    if profile.missing_macs is None or profile.missing_macs:
        missing = "some" if profile.missing_macs is None else si(profile.missing_macs)
        lines.append(f"{missing} MACs belong to nodes whose operator was not found or not counted")
    return "\n".join(lines)


def _cells(operator: OperatorTime, latency_ns: float) -> tuple[str, ...]:
    where = operator.module or (operator.sources[0] if operator.sources else operator.kernel)
    return (
        shown(operator.what, 40),
        short(where if operator.sources else f"put in near {where}", 44),
        ms(operator.time_ns),
        f"{operator.time_ns / latency_ns:.1%}",
        _count(operator.macs),
        _count(operator.flops_per_s if operator.flops else None),
        _count(operator.bytes_per_s if operator.bytes else None),
        _share(operator.roofline_share),
        operator.bound or _NOTHING,
    )


def _group_cells(group: OperatorGroup) -> tuple[str, ...]:
    return (
        shown(group.what, 40), str(group.count), ms(group.time_ns), f"{group.time_share:.1%}",
        si(group.macs), f"{group.macs_share:.1%}", _count(group.flops_per_s or None),
        _share(group.roofline_share), f"{group.excess:+.1%}",
    )  # fmt: skip


def _count(value: float | None) -> str:
    return _NOTHING if value is None else si(round(value))


def _share(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.0%}"
