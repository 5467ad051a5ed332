"""What kernels have to do: MACs, FLOPs, bytes and the roofline's least time of their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from exporters.onnx_types import Graph, Node
from profiler.core.cost import GraphCost, NodeCost
from profiler.core.kernels import Kernel
from profiler.core.profile import OperatorTime
from profiler.cost.kernels import source_nodes, stands_for
from profiler.cost.roofline import COMPUTE, MEMORY, Peaks


@dataclass(frozen=True, slots=True)
class Work:
    """What one kernel has to do.

    Unit: of one inference; None is not known. `bytes` are those that come in or go out of the
    kernel: what fused nodes hand to each other stays inside.
    """

    kernel: Kernel
    sources: tuple[str, ...]
    what: str
    module: str
    macs: int | None
    flops: int | None
    bytes: int | None
    bound_ns: float | None
    bound: str | None

    def took(self, time_ns: float, recorded_ns: float) -> OperatorTime:
        """The work with the time that it took."""
        return OperatorTime(
            self.kernel.name, self.kernel.op_type, self.what, self.module, self.sources, time_ns,
            recorded_ns, self.macs, self.flops, self.bytes, self.bound_ns, self.bound,
        )  # fmt: skip


def work_of(
    graph: Graph, cost: GraphCost, kernels: Sequence[Kernel], peaks: Peaks | None
) -> tuple[Work, ...]:
    """The work of each kernel of a model that was counted; bounds need the machine's peaks.

    What the runtime put in by itself has no MACs, and no bytes that the model tells.
    """
    nodes = dict(source_nodes(graph))
    costs = {node.name: node for node in cost.nodes}
    weights = {tensor.name: tensor.dims for tensor in graph.initializers}
    readers: dict[str, set[str]] = {}
    for name, node in nodes.items():
        for tensor in node.inputs:
            readers.setdefault(tensor, set()).add(name)
    kept = {info.name for info in graph.outputs}
    found, last = [], ""
    for kernel, sources in zip(kernels, stands_for(graph, kernels), strict=True):
        members = [costs[name] for name in sources if name in costs]
        flops = _sum(member.flops for member in members)
        moved = _moved(sources, nodes, costs, readers, kept) if members else None
        bound_ns, bound = _bound(members, moved, peaks)
        # What the runtime puts in belongs to the module that it serves, the one before it.
        last = _module(members) or last
        found.append(
            Work(
                kernel, sources, _what(kernel, [nodes[name] for name in sources], weights), last,
                _sum(member.macs for member in members), flops, moved, bound_ns, bound,
            )
        )  # fmt: skip
    return tuple(found)


def missing_macs(cost: GraphCost, works: Iterable[Work]) -> int | None:
    """MACs of nodes that no kernel stands for, without those on weights alone."""
    found = _sum(work.macs for work in works)
    return None if found is None else max(cost.macs - cost.constant_macs - found, 0)


def _module(members: Sequence[NodeCost]) -> str:
    """The module of the node that works most."""
    named = [member for member in members if member.module]
    return max(named, key=lambda member: member.flops or 0).module if named else ""


def _moved(
    sources: Sequence[str],
    nodes: Mapping[str, Node],
    costs: Mapping[str, NodeCost],
    readers: Mapping[str, set[str]],
    kept: set[str],
) -> int | None:
    """Bytes into and out of a group of nodes."""
    total, group = 0, set(sources)
    for name in sources:
        cost = costs.get(name)
        if cost is None or cost.bytes_read is None or cost.bytes_written is None:
            return None
        total += cost.bytes_read + cost.bytes_written
        made = nodes[name].outputs
        if len(made) == 1 and made[0] not in kept and readers.get(made[0], set()) <= group:
            total -= cost.bytes_written * (1 + len(readers.get(made[0], ())))
    return max(total, 0)


def _bound(
    members: Sequence[NodeCost], moved: int | None, peaks: Peaks | None
) -> tuple[float | None, str | None]:
    """The least time, arithmetic and traffic at the same time, and which of them is longer."""
    if peaks is None or moved is None or not members:
        return None, None
    compute = 0.0
    for member in members:
        peak = peaks.of(member.precision)
        if member.flops is None or (member.flops and peak is None):
            return None, None
        compute += member.flops / peak * 1e9 if peak else 0.0
    memory = moved / peaks.bytes_per_s * 1e9
    return max(compute, memory), COMPUTE if compute > memory else MEMORY


def _what(kernel: Kernel, nodes: Sequence[Node], weights: Mapping[str, tuple[int, ...]]) -> str:
    """The operator, for a convolution with its window and whether channels are kept apart."""
    node = next((node for node in nodes if node.op_type.startswith("Conv")), None)
    if node is None or "Conv" not in kernel.op_type or len(node.inputs) < 2:
        return kernel.op_type
    parts = [kernel.op_type]
    dims = weights.get(node.inputs[1], ())
    if len(dims) > 2:
        parts.append("x".join(map(str, dims[2:])))
    group = node.attributes.get("group", 1)
    if isinstance(group, int) and group > 1:
        parts.append("depthwise" if dims[1:2] == (1,) else "grouped")
    return " ".join(parts)


def _sum(values: Iterable[int | None]) -> int | None:
    found = list(values)
    return None if None in found else sum(value or 0 for value in found)
