"""The network of NAS-Bench-201."""

from __future__ import annotations

import torch
from torch import nn

from nasprof.spaces._space import Genes
from nasprof.spaces.nasbench201 import EDGES, NONE, OPS


class Cell(nn.Module):
    """Four nodes; each is the sum of its incoming edges, and the last one is the output.

    Edges whose result is unused stay and run, as in the published code: an export drops them.
    """

    def __init__(self, genes: Genes, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(
            {
                f"{source}{target}": _operation(OPS[gene], channels)
                for gene, (source, target) in zip(genes, EDGES, strict=True)
                if gene != NONE
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        nodes = [x]
        for target in (1, 2, 3):
            terms = [
                self.edges[f"{source}{target}"](nodes[source])
                for source in range(target)
                if f"{source}{target}" in self.edges
            ]
            # Times zero, not zeros: the output keeps its dependence on the input in an export.
            nodes.append(_sum(terms) if terms else x * 0.0)
        return nodes[3]


class Reduction(nn.Module):
    """Residual block that halves the resolution and changes the channels."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.first = _relu_conv_bn(channels_in, channels, 3, stride=2)
        self.second = _relu_conv_bn(channels, channels, 3)
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2), nn.Conv2d(channels_in, channels, 1, bias=False)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.shortcut(x) + self.second(self.first(x))
        return out


class Network(nn.Module):
    """Stem, three stages of cells with a reduction before the last two, classifier.

    Shapes: images [N, channels_in, H, W] to scores [N, classes].
    Source: Dong and Yang, "NAS-Bench-201", ICLR 2020, figure 1.
    """

    def __init__(
        self, genes: Genes, classes: int, channels_in: int, cells_per_stage: int, width: int
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels_in, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        layers: list[nn.Module] = []
        for stage in range(3):
            channels = width << stage
            if stage:
                layers.append(Reduction(channels // 2, channels))
            layers.extend(Cell(genes, channels) for _ in range(cells_per_stage))
        self.cells = nn.Sequential(*layers)
        self.last = nn.Sequential(nn.BatchNorm2d(4 * width), nn.ReLU())
        self.classifier = nn.Linear(4 * width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.last(self.cells(self.stem(x)))
        out: torch.Tensor = self.classifier(x.mean((2, 3)))
        return out


def _operation(name: str, channels: int) -> nn.Module:
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return _relu_conv_bn(channels, channels, 1 if name == "nor_conv_1x1" else 3)


def _relu_conv_bn(channels_in: int, channels: int, kernel: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels),
    )


def _sum(terms: list[torch.Tensor]) -> torch.Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
