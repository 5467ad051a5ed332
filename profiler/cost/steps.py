"""What counting found at one node."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from exporters.onnx_types import Node
from profiler.cost.call import Array, Result
from profiler.cost.values import Value


class Step(NamedTuple):
    """One node as it was counted.

    `result` is None where there is no rule or a size is not known; `counted` tells which. `times`
    is how often it runs. `fixed` are the names that do not depend on the inputs of the graph.
    Unit: `read`, `written` and `sizes` (of each output) in bytes, UNKNOWN when not known.
    """

    node: Node
    name: str
    kind: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value | None, ...]
    result: Result | None
    counted: bool
    read: int
    written: int
    sizes: tuple[int, ...]
    precision: str
    fixed: Container[str]
    times: int = 1

    def is_weight(self, index: int) -> bool:
        """Whether an input is a constant, or computed from constants alone."""
        return index < len(self.node.inputs) and self.node.inputs[index] in self.fixed

    @property
    def is_constant(self) -> bool:
        """Whether nothing that goes into a node depends on the inputs of the graph."""
        return all(name in self.fixed for name in self.node.inputs if name)

    @property
    def operator(self) -> str:
        """The operator type, with its domain where it is not ONNX's own."""
        node = self.node
        return f"{node.domain}.{node.op_type}" if node.domain else node.op_type


class Walked(NamedTuple):
    """One body, walked: its nodes, types and values of its outputs, and its live memory.

    Unit: bytes; UNKNOWN when not known.
    """

    steps: list[Step]
    outputs: tuple[Value | None, ...]
    arrays: tuple[Array | None, ...]
    peak: int
    peak_in_place: int
