"""What the machine's peaks allow: the bound of every node, and the least time of a graph.

Source: Williams, Waterman, Patterson, "Roofline", 2009: a node takes at least the longer of its
arithmetic at peak speed and its traffic at peak bandwidth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profiler.core.cost import GraphCost, NodeCost

COMPUTE, MEMORY = "compute", "memory"
# Without a measured peak of its own a precision is held to that of the type it is calculated in.
_STAND_INS = {"float64": "float32", "float16": "float32", "bfloat16": "float32", "uint8": "int8"}


@dataclass(frozen=True, slots=True)
class Peaks:
    """The best that a machine was seen to do.

    Unit: `flops_per_s` operations a second by precision (NumPy's names; two for each MAC),
    `bytes_per_s` of memory traffic, reads and writes added.
    """

    flops_per_s: Mapping[str, float]
    bytes_per_s: float

    def of(self, precision: str) -> float | None:
        """The arithmetic peak of a precision; None where neither it nor its stand-in was seen."""
        found = self.flops_per_s.get(precision)
        if found is None:
            found = self.flops_per_s.get(_STAND_INS.get(precision, "float32"))
        return found

    def ridge(self, precision: str) -> float | None:
        """The intensity above which arithmetic is the bound, in FLOPs a byte."""
        peak = self.of(precision)
        return None if peak is None else peak / self.bytes_per_s


@dataclass(frozen=True, slots=True)
class NodeBound:
    """One node on the roofline.

    Unit: ns for all its runs; `intensity` in FLOPs a byte. None is a figure that is not known.
    """

    name: str
    op_type: str
    flops: int | None
    bytes: int | None
    compute_ns: float | None
    memory_ns: float | None

    @property
    def bound(self) -> str | None:
        """`compute` or `memory`, whichever takes longer; None where one is not known."""
        if self.compute_ns is None or self.memory_ns is None:
            return None
        return COMPUTE if self.compute_ns > self.memory_ns else MEMORY

    @property
    def least_ns(self) -> float | None:
        """The least time that the node can take."""
        if self.compute_ns is None or self.memory_ns is None:
            return None
        return max(self.compute_ns, self.memory_ns)

    @property
    def intensity(self) -> float | None:
        """FLOPs for each byte moved."""
        return None if not self.bytes or self.flops is None else self.flops / self.bytes


@dataclass(frozen=True, slots=True)
class Roofline:
    """A graph on a machine's roofline.

    Unit: ns. `least_ns` adds up the nodes, one after the other with nothing fused; a runtime that
    keeps data in its caches or fuses nodes may move fewer bytes, so `compute_ns` (all arithmetic at
    peak speed, the weights read once) is the bound that nothing can beat.
    """

    nodes: tuple[NodeBound, ...]
    least_ns: float | None
    compute_ns: float | None
    memory_bound_share: float | None


def roofline(cost: GraphCost, peaks: Peaks) -> Roofline:
    """Put every node of a counted graph under the machine's peaks."""
    nodes = tuple(_bound(node, peaks) for node in cost.nodes)
    times = [node.least_ns for node in nodes]
    known = [time for time in times if time is not None]
    complete = len(known) == len(times) and not cost.uncounted
    least = sum(known) if complete else None
    compute = [node.compute_ns for node in nodes if node.compute_ns is not None]
    hard = max(sum(compute), cost.weight_bytes / peaks.bytes_per_s * 1e9) if complete else None
    memory = sum(n.least_ns or 0.0 for n in nodes if n.bound == MEMORY)
    return Roofline(nodes, least, hard, memory / least if least else None)


def _bound(node: NodeCost, peaks: Peaks) -> NodeBound:
    peak = peaks.of(node.precision)
    moved = None
    if node.bytes_read is not None and node.bytes_written is not None:
        moved = node.bytes_read + node.bytes_written
    compute = None
    if node.flops is not None and (node.flops == 0 or peak is not None):
        compute = node.flops / peak * 1e9 if peak else 0.0
    memory = None if moved is None else moved / peaks.bytes_per_s * 1e9
    return NodeBound(node.name, node.op_type, node.flops, moved, compute, memory)
