"""Static cost of a graph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpCost:
    """The nodes of one operator type (or class, precision, module), added up.

    Unit: MACs (one multiply and one add), FLOPs = 2 x MACs + the other arithmetic, bytes.
    """

    op_type: str
    nodes: int
    macs: int
    flops: int
    bytes_read: int
    bytes_written: int

    @property
    def intensity(self) -> float | None:
        """FLOPs for each byte moved; None where no byte is."""
        moved = self.bytes_read + self.bytes_written
        return self.flops / moved if moved else None


# Not frozen, because there is one for each node and a frozen one takes three times as long to make.
@dataclass(slots=True, unsafe_hash=True)
class NodeCost:
    """One node, in the order of execution; None is a figure that a missing shape hides.

    Unit: as OpCost, for all its `runs` (a node in a loop runs more than once). `kind` is the class
    of arithmetic, `precision` NumPy's name of the type that it calculates in, `module` the path of
    the torch module that it came from, empty where the file does not say.
    """

    name: str
    op_type: str
    macs: int | None
    flops: int | None
    bytes_read: int | None
    bytes_written: int | None
    kind: str = ""
    precision: str = ""
    module: str = ""
    runs: int = 1


@dataclass(frozen=True, slots=True)
class GraphCost:
    """What one inference costs, counted from the graph alone.

    Unit: counts and bytes. `params` counts each distinct weight once; `module_params` is the torch
    module's own count where the export recorded it. `peak_in_place_bytes` is the peak when nodes
    write into inputs that nothing else needs. `uncounted` are (operator type, nodes) without a
    rule, `unknown` the names of nodes whose shapes are not known, `symbols` the symbolic
    dimensions that were given no size, `dims` those that were. `figure` is the number of the
    `convention`, in its own unit; for nasprof's own it is `macs`. `constant_macs` is the part of
    `macs` that hangs on weights alone: a runtime does it once, when it loads the model.
    """

    macs: int
    flops: int
    params: int
    module_params: int | None
    weight_bytes: int
    peak_activation_bytes: int | None
    bytes_read: int
    bytes_written: int
    by_op: tuple[OpCost, ...]
    nodes: tuple[NodeCost, ...]
    uncounted: tuple[tuple[str, int], ...]
    unknown: tuple[str, ...]
    peak_in_place_bytes: int | None = None
    symbols: tuple[str, ...] = ()
    dims: tuple[tuple[str, int], ...] = ()
    convention: str = "nasprof"
    figure: int | None = None
    constant_macs: int = 0

    @property
    def complete(self) -> bool:
        """Whether every node was counted."""
        return not self.uncounted and not self.unknown

    @property
    def intensity(self) -> float | None:
        """FLOPs for each byte moved; None where no byte is."""
        moved = self.bytes_read + self.bytes_written
        return self.flops / moved if moved else None

    @property
    def by_class(self) -> tuple[OpCost, ...]:
        """Added up by class of arithmetic, for example `convolution` or `normalisation`."""
        return added_up((node.kind, node) for node in self.nodes)

    @property
    def by_precision(self) -> tuple[OpCost, ...]:
        """Added up by the type that nodes calculate in."""
        return added_up((node.precision, node) for node in self.nodes)

    def by_module(self, depth: int | None = None) -> tuple[OpCost, ...]:
        """Added up by torch module; `depth` cuts paths to so many parts."""
        return added_up((_cut(node.module, depth), node) for node in self.nodes)


def added_up(nodes: Iterable[tuple[str, NodeCost]]) -> tuple[OpCost, ...]:
    """Add up nodes under the names given with them, in the order of first appearance."""
    sums: dict[str, list[int]] = {}
    for name, node in nodes:
        total = sums.setdefault(name, [0, 0, 0, 0, 0])
        total[0] += node.runs
        total[1] += node.macs or 0
        total[2] += node.flops or 0
        total[3] += node.bytes_read or 0
        total[4] += node.bytes_written or 0
    return tuple(OpCost(name, *total) for name, total in sums.items())


def by_operator(nodes: Iterable[NodeCost]) -> tuple[OpCost, ...]:
    """Add up nodes by operator type, in the order of first appearance."""
    return added_up((node.op_type, node) for node in nodes)


def _cut(path: str, depth: int | None) -> str:
    return path if depth is None else ".".join(path.split(".")[:depth])
