"""The network of NAS-Bench-101."""

from __future__ import annotations

import torch
from torch import nn

from nasprof.spaces._dag import Dag


class Network(nn.Module):
    """Stem, three stacks of cells with a pooling before the last two, classifier.

    Shapes: images [N, channels_in, H, W] to scores [N, classes].
    Source: Ying et al., "NAS-Bench-101", ICML 2019, section 2.
    """

    def __init__(
        self, dag: Dag, classes: int, channels_in: int, cells_per_stack: int, width: int
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_bn_relu(channels_in, width, 3)]
        channels = width
        for stack in range(3):
            out = width << stack
            if stack:
                layers.append(nn.MaxPool2d(2, 2))
            for _ in range(cells_per_stack):
                layers.append(Cell(dag, channels, out))
                channels = out
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.classifier(self.layers(x).mean((2, 3)))
        return out


class Cell(nn.Module):
    """A graph of operations; vertex 0 is the input and the last one the output.

    Interior vertices add their inputs, cut to their own width; the output joins its inputs.
    """

    def __init__(self, dag: Dag, channels: int, out: int) -> None:
        super().__init__()
        self.dag = dag
        self.widths = vertex_widths(dag, out)
        self.last = len(dag.ops) + 1
        self.projections = nn.ModuleDict(
            {
                str(target): conv_bn_relu(channels, self.widths[target], 1)
                for source, target in dag.edges
                if source == 0
            }
        )
        self.operations = nn.ModuleList(
            _operation(op, self.widths[vertex]) for vertex, op in enumerate(dag.ops, start=1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values: dict[int, torch.Tensor] = {}
        for vertex, operation in enumerate(self.operations, start=1):
            width = self.widths[vertex]
            terms = [values[source][:, :width] for source in self._sources(vertex)]
            values[vertex] = operation(self._with_input(terms, vertex, x))
        joined = [values[source] for source in self._sources(self.last)]
        return self._with_input([torch.cat(joined, 1)] if joined else [], self.last, x)

    def _sources(self, vertex: int) -> list[int]:
        return [source for source, target in self.dag.edges if target == vertex and source > 0]

    def _with_input(self, terms: list[torch.Tensor], vertex: int, x: torch.Tensor) -> torch.Tensor:
        if str(vertex) in self.projections:
            terms = [*terms, self.projections[str(vertex)](x)]
        return sum(terms[1:], terms[0])


def vertex_widths(dag: Dag, out: int) -> list[int]:
    """Number of channels of each vertex after the input.

    Vertices wired to the output share its channels, the first ones taking what is left over; the
    others are as wide as the widest vertex that they feed.
    Source: the released code of NAS-Bench-101.
    """
    last = len(dag.ops) + 1
    widths = [0] * last + [out]
    wired = [source for source, target in dag.edges if target == last and source > 0]
    for place, vertex in enumerate(wired):
        widths[vertex] = out // len(wired) + (place < out % len(wired))
    for vertex in range(last - 1, 0, -1):
        if vertex not in wired:
            widths[vertex] = max(widths[end] for source, end in dag.edges if source == vertex)
    return widths


def conv_bn_relu(channels_in: int, channels: int, kernel: int) -> nn.Sequential:
    """Convolution without bias, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


def _operation(op: str, width: int) -> nn.Module:
    if op == "maxpool3x3":
        return nn.MaxPool2d(3, 1, 1)
    return conv_bn_relu(width, width, 3 if op == "conv3x3-bn-relu" else 1)
