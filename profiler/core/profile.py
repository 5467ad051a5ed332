"""The profile of a model by operator: measured times beside what the operators have to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """One kernel of a runtime with the nodes of the model that it stands for.

    Unit: ns, MACs, FLOPs and bytes of one inference; `time_ns` is calibrated, `recorded_ns` as the
    profiler said. `bound_ns` is the least time by the machine's roofline, `bound` what it hangs on.
    None is not known. `sources` is empty for what the runtime put in by itself; `what` says more
    than the operator type where that decides the speed (`Conv 3x3 depthwise`).
    """

    kernel: str
    op_type: str
    what: str
    module: str
    sources: tuple[str, ...]
    time_ns: float
    recorded_ns: float
    macs: int | None
    flops: int | None
    bytes: int | None
    bound_ns: float | None = None
    bound: str | None = None

    @property
    def flops_per_s(self) -> float | None:
        """Operations a second that it reached."""
        return _rate(self.flops, self.time_ns)

    @property
    def bytes_per_s(self) -> float | None:
        """Bytes a second that it moved, each tensor counted once."""
        return _rate(self.bytes, self.time_ns)

    @property
    def roofline_share(self) -> float | None:
        """The least time by the roofline over the time it took; above 1 where caches help."""
        return None if self.bound_ns is None or not self.time_ns else self.bound_ns / self.time_ns


@dataclass(frozen=True, slots=True)
class OperatorGroup:
    """Operators of one kind, added up.

    Unit: ns and MACs of one inference, their shares of the whole. `excess` is the share of the time
    beyond the share of the MACs: what makes a network slower than its MACs say.
    """

    what: str
    count: int
    time_ns: float
    time_share: float
    macs: int
    macs_share: float
    flops_per_s: float | None
    roofline_share: float | None

    @property
    def excess(self) -> float:
        """Share of the time less share of the MACs."""
        return self.time_share - self.macs_share


@dataclass(frozen=True, slots=True)
class OperatorProfile:
    """Where the time of one model on one target goes.

    Unit: ns for one inference. `latency_ns` is measured without a profiler, with its `verdict`, and
    is what the operators add up to. `subtracted_ns` is their sum after the profiler's cost of
    `cost_ns` a kernel was taken off and before they were scaled; `plain_ns` and `profiled_ns` are
    inferences of the profiling worker itself, without and with the profiler. `folded` counts nodes
    of the model that no kernel stands for: done at load, or left out. `missing_macs` are MACs of
    nodes that no kernel was found for, None where a node's are not known.
    """

    model_sha256: str
    label: str
    target_key: str
    session: str
    environment_key: str
    latency_ns: float
    verdict: str
    plain_ns: float
    profiled_ns: float
    cost_ns: float
    subtracted_ns: float
    resolution_ns: int
    runs: int
    folded: int
    missing_macs: int | None
    operators: tuple[OperatorTime, ...]

    @property
    def closure(self) -> float:
        """Sum of the times before scaling over an inference without profiler in the same worker."""
        return self.subtracted_ns / self.plain_ns

    @property
    def slow_down(self) -> float:
        """How many times as long an inference took with the profiler."""
        return self.profiled_ns / self.plain_ns

    @property
    def groups(self) -> tuple[OperatorGroup, ...]:
        """Added up by what the operators are, what is slow for its MACs first."""
        kinds: dict[str, list[OperatorTime]] = {}
        for operator in self.operators:
            kinds.setdefault(operator.what, []).append(operator)
        time = sum(operator.time_ns for operator in self.operators)
        macs = sum(operator.macs or 0 for operator in self.operators)
        found = [_group(what, members, time, macs) for what, members in kinds.items()]
        return tuple(sorted(found, key=lambda group: -group.excess))


def _group(what: str, members: Sequence[OperatorTime], time: float, macs: int) -> OperatorGroup:
    own_time = sum(member.time_ns for member in members)
    own_macs = sum(member.macs or 0 for member in members)
    bounds = _sum(member.bound_ns for member in members)
    return OperatorGroup(
        what=what,
        count=len(members),
        time_ns=own_time,
        time_share=own_time / time if time else 0.0,
        macs=own_macs,
        macs_share=own_macs / macs if macs else 0.0,
        flops_per_s=_rate(_sum(member.flops for member in members), own_time),
        roofline_share=None if bounds is None or not own_time else bounds / own_time,
    )


def _rate(amount: float | None, time_ns: float) -> float | None:
    return None if amount is None or not time_ns else amount / time_ns * 1e9


def _sum(values: Iterable[float | None]) -> float | None:
    found = list(values)
    return None if None in found else sum(value or 0.0 for value in found)
