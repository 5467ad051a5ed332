"""The networks of TransNAS-Bench-101: an encoder of two-block modules and a head for each task."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from nasprof.spaces._networks.transnas_heads import head
from nasprof.spaces._transnas import EDGES, OPS, Plan


class Network(nn.Module):
    """Encoder and head.

    Shapes: images [N, channels_in, H, W], or for `jigsaw` tiles [N, 9, channels_in, H, W].
    Source: Duan et al., "TransNAS-Bench-101", CVPR 2021, sections 3.1 and 3.2, and its released
    training code.
    """

    def __init__(self, plan: Plan, task: str, classes: int | None, channels_in: int) -> None:
        super().__init__()
        self.encoder = Encoder(plan, channels_in)
        self.head = head(task, plan, classes)
        self.tiles = task == "jigsaw"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.tiles:
            count = x.shape[1]
            features = self.encoder(x.flatten(0, 1)).mean((2, 3))
            x = features.unflatten(0, (-1, count)).flatten(1)
        else:
            x = self.encoder(x)
        out: torch.Tensor = self.head(x)
        return out


class Encoder(nn.Sequential):
    """Stem that quarters the resolution, then modules of two blocks.

    Shapes: [N, channels_in, H, W] to features [N, C, h, w].
    """

    def __init__(self, plan: Plan, channels_in: int) -> None:
        channels = plan.base
        layers: list[nn.Module] = [
            nn.Sequential(
                nn.Conv2d(channels_in, channels // 2, 3, 2, 1, bias=False),
                nn.BatchNorm2d(channels // 2),
                relu_conv_bn(channels // 2, channels, 3, 2),
            )
        ]
        block = Basic if plan.cell is None else partial(Cell, plan.cell)
        for double, halve in plan.changes:
            out = channels * 2 if double else channels
            layers += [block(channels, out, 2 if halve else 1), block(out, out, 1)]
            channels = out
        super().__init__(*layers)


class Basic(nn.Module):
    """The residual block of the macro networks."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            relu_conv_bn(channels, out, 3, stride), relu_conv_bn(out, out, 3)
        )
        changes = stride != 1 or channels != out
        self.shortcut: nn.Module = (
            nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
            if changes
            else nn.Identity()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.shortcut(x) + self.layers(x)
        return out


class Cell(nn.Module):
    """The block of the micro networks; edges from the input carry the change of shape."""

    def __init__(self, cell: tuple[int, ...], channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.stride, self.copies = stride, out // channels
        self.edges = nn.ModuleDict()
        for gene, (source, target) in zip(cell, EDGES, strict=True):
            if OPS[gene] != "none":
                first = source == 0
                self.edges[f"{source}{target}"] = _operation(
                    OPS[gene], channels if first else out, out, stride if first else 1
                )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        nodes = [x]
        for target in (1, 2, 3):
            terms = [
                self.edges[f"{source}{target}"](nodes[source])
                for source in range(target)
                if f"{source}{target}" in self.edges
            ]
            nodes.append(sum(terms[1:], terms[0]) if terms else self._zero(x))
        return nodes[3]

    def _zero(self, x: torch.Tensor) -> torch.Tensor:
        # Times zero, not zeros: the output keeps its dependence on the input in an export.
        zero = x[:, :, :: self.stride, :: self.stride] * 0.0
        return torch.cat([zero] * self.copies, 1) if self.copies > 1 else zero


class ChangedSkip(nn.Module):
    """A skip where the shape changes: two strided 1x1 convolutions, one shifted by a pixel."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(channels, out // 2, 1, stride, bias=False)
        self.odd = nn.Conv2d(channels, out // 2, 1, stride, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.relu()
        shifted = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        out: torch.Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], 1))
        return out


def relu_conv_bn(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution without bias, batch normalisation."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out),
    )


def _operation(name: str, channels: int, out: int, stride: int) -> nn.Module:
    if name == "skip":
        same = stride == 1 and channels == out
        return nn.Identity() if same else ChangedSkip(channels, out, stride)
    return relu_conv_bn(channels, out, 1 if name == "conv_1x1" else 3, stride)
