"""Which nodes of a model a kernel stands for, after a runtime has fused and re-laid them.

A runtime keeps the names of most tensors that it still makes, and builds the names of new nodes
from old ones. From the tensors that are still made the nodes between them are known.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from exporters.onnx_types import Graph, Node, bodies
from profiler.core.kernels import Kernel

# What only changes the layout or the type of a tensor.
MOVERS = frozenset(
    ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Cast", "Identity", "ReorderInput",
     "ReorderOutput", "MemcpyToHost", "MemcpyFromHost")
)  # fmt: skip
_CUTS = re.compile(r"[/_ ]")


class SourceNode(NamedTuple):
    """A node of the model by the name under which its cost is counted."""

    name: str
    node: Node


def source_nodes(graph: Graph, path: str = "") -> Iterator[SourceNode]:
    """Every node of a graph and of the bodies in it, in order."""
    for node in graph.nodes:
        yield SourceNode(path + (node.name or (node.outputs[0] if node.outputs else "")), node)
        for body in bodies(node):
            yield from source_nodes(body, f"{path}{node.name}/")


def stands_for(graph: Graph, kernels: Sequence[Kernel]) -> list[tuple[str, ...]]:
    """The nodes of the model for each kernel, none twice; empty for what the runtime put in.

    Nodes that hang on constants alone are done at load and belong to no kernel.
    """
    return _Search(graph, kernels).found()


class _Search:
    def __init__(self, graph: Graph, kernels: Sequence[Kernel]) -> None:
        self._kernels = kernels
        self._order: dict[str, int] = {}
        self._nodes: dict[str, Node] = {}
        self._by_own_name: dict[str, str] = {}
        self._makers: dict[str, str] = {}
        for name, node in source_nodes(graph):
            self._order.setdefault(name, len(self._order))
            self._nodes.setdefault(name, node)
            if node.name:
                self._by_own_name.setdefault(node.name, name)
            for tensor in node.outputs:
                self._makers.setdefault(tensor, name)
        self.constant = _constant(graph, self._nodes)
        self._named = [self._own(kernel) for kernel in kernels]
        self._claims: dict[str, int] = {}
        self._aliases: dict[str, str] = {}

    def found(self) -> list[tuple[str, ...]]:
        """Claim by name, then name the tensors that are new, then claim what lies between."""
        for number, names in enumerate(self._named):
            for name in names:
                self._claims.setdefault(name, number)
        self._name_by_reader()
        self._name_by_mover()
        made = {t for k in self._kernels for t in self._known((*k.inputs, *k.outputs))}
        for number, kernel in enumerate(self._kernels):
            self._grow(number, kernel, made)
        groups: dict[int, list[str]] = defaultdict(list)
        for name, number in self._claims.items():
            groups[number].append(name)
        return [
            tuple(sorted(groups[number], key=self._order.__getitem__))
            for number in range(len(self._kernels))
        ]

    def _own(self, kernel: Kernel) -> tuple[str, ...]:
        """The node that a kernel is named after: new names begin with that of a node or tensor."""
        if kernel.sources:
            own = (self._by_own_name.get(name, name) for name in kernel.sources)
            return tuple(name for name in own if name in self._nodes)
        for name in _beginnings(kernel.name):
            found = self._by_own_name.get(name) or self._makers.get(name)
            if found is not None and found not in self.constant:
                return (found,)
        return ()

    def _known(self, tensors: Sequence[str]) -> Iterator[str]:
        """The model's names of tensors that a kernel reads or makes."""
        for tensor in tensors:
            name = tensor if tensor in self._makers else self._aliases.get(tensor)
            if name is not None:
                yield name

    def _name_by_reader(self) -> None:
        """A new tensor is what the node that reads it reads in the model, at the same place."""
        for kernel, names in zip(self._kernels, self._named, strict=True):
            node = self._same(kernel, names[0]) if names else None
            for new, old in zip(kernel.inputs, node.inputs if node else (), strict=False):
                if new not in self._makers and old in self._makers:
                    self._aliases.setdefault(new, old)

    def _same(self, kernel: Kernel, name: str) -> Node | None:
        """The node of the kernel's operator, from the named one back along first inputs."""
        wanted = kernel.op_type.removeprefix("Fused")
        for _ in range(8):
            node = self._nodes[name]
            if node.op_type == wanted:
                return node
            before = self._makers.get(node.inputs[0]) if node.inputs else None
            if before is None:
                return None
            name = before
        return None

    def _name_by_mover(self) -> None:
        """What goes into a copy that the runtime put in is what comes out, last copies first."""
        for kernel, names in zip(reversed(self._kernels), reversed(self._named), strict=True):
            if not names and kernel.op_type in MOVERS and kernel.inputs:
                source = kernel.inputs[0]
                for made in self._known(kernel.outputs):
                    if source not in self._makers and not self._moved(made):
                        self._aliases.setdefault(source, made)

    def _moved(self, tensor: str) -> bool:
        return self._nodes[self._makers[tensor]].op_type in MOVERS

    def _grow(self, number: int, kernel: Kernel, made: set[str]) -> None:
        anchors = list(self._known(kernel.outputs))
        if kernel.op_type in MOVERS and not self._named[number]:
            # A copy that the runtime put in does not do the work of what made its content.
            anchors = [tensor for tensor in anchors if self._moved(tensor)]
        starts = [self._makers[tensor] for tensor in anchors]
        stack = [*starts, *self._named[number]]
        seen: set[str] = set()
        while stack:
            name = stack.pop()
            if name in seen or name in self.constant or self._claims.get(name, number) != number:
                continue
            seen.add(name)
            self._claims[name] = number
            stack += [
                self._makers[tensor]
                for tensor in self._nodes[name].inputs
                if tensor in self._makers and tensor not in made
            ]


def _beginnings(name: str) -> Iterator[str]:
    """A name and what is left of it when parts are cut off its end."""
    yield name
    for cut in reversed([match.start() for match in _CUTS.finditer(name)]):
        if cut:
            yield name[:cut]


def _constant(graph: Graph, nodes: Mapping[str, Node]) -> set[str]:
    """Names of the nodes that hang on no input of the graph."""
    fixed = {tensor.name for tensor in graph.initializers} | {""}
    found = set()
    for name, node in nodes.items():
        if fixed.issuperset(node.inputs) and not any(True for _ in bodies(node)):
            found.add(name)
            fixed.update(node.outputs)
    return found
