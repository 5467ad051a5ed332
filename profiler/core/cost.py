"""Static cost of a graph."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpCost:
    """The nodes of one operator type, added up.

    Unit: MACs (one multiply and one add), FLOPs = 2 x MACs + the other arithmetic, bytes.
    """

    op_type: str
    nodes: int
    macs: int
    flops: int
    bytes_read: int
    bytes_written: int


@dataclass(frozen=True, slots=True)
class NodeCost:
    """One node, in the order of execution; None is a figure that a missing shape hides."""

    name: str
    op_type: str
    macs: int | None
    flops: int | None
    bytes_read: int | None
    bytes_written: int | None


@dataclass(frozen=True, slots=True)
class GraphCost:
    """What one inference costs, counted from the graph alone.

    Unit: counts and bytes. `params` counts each distinct weight once; `module_params` is the torch
    module's own count where the export recorded it. `uncounted` are (operator type, nodes) without a
    rule, `unknown` the names of nodes whose shapes are not known.
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
