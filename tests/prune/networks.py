"""Small networks of every kind of wiring that channels are cut through."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from exporters.seeding import seeded
from nasprof.spaces.nasbench_mr import PLUGIN as MULTI
from nasprof.subjects._reference.mobilenet import MobileNetV2
from nasprof.subjects._reference.resnet import ResNet
from nasprof.subjects._reference.vit import VisionTransformer


def conv(channels_in: int, channels: int, kernel: int = 3, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, kernel, 1, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


class Plain(nn.Module):
    """Three convolutions, the last one flattened into a linear layer (2 x 2 places a channel)."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = conv(3, 8), conv(8, 12), conv(12, 6)
        self.fc = nn.Linear(6 * 4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.adaptive_avg_pool2d(self.c(self.b(self.a(x))), 2)
        return self.fc(x.flatten(1))


class Grouped(nn.Module):
    """A block of ResNeXt: 1x1, grouped 3x3, 1x1 and a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.narrow, self.wide = conv(3, 16), conv(16, 24, 1), conv(24, 24, 3, groups=4)
        self.out = nn.Sequential(nn.Conv2d(24, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.fc = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.fc((x + self.out(self.wide(self.narrow(x)))).relu().mean((2, 3)))


class Dense(nn.Module):
    """A dense block: each layer sees all before it, in pre-activation order."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(8 + 6 * i) for i in range(3))
        self.layers = nn.ModuleList(
            nn.Conv2d(8 + 6 * i, 6, 3, padding=1, bias=False) for i in range(3)
        )
        self.last = nn.BatchNorm2d(26)
        self.fc = nn.Linear(26, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = torch.cat([x, layer(norm(x).relu())], 1)
        return self.fc(self.last(x).relu().mean((2, 3)))


class Shuffled(nn.Module):
    """Channels in two groups, shuffled with sizes written into the code."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.wide, self.after = conv(3, 8), conv(8, 8, 3, groups=2), conv(8, 8, 1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.wide(self.stem(x))
        batch, _, height, width = x.shape
        x = x.reshape(batch, 2, 4, height, width).transpose(1, 2).reshape(batch, 8, height, width)
        return self.fc(self.after(x).mean((2, 3)))


def residual() -> nn.Module:
    return ResNet((1, 1, 1, 1), 1, classes=5)


def depthwise() -> nn.Module:
    return MobileNetV2(classes=5)


def multi_branch() -> nn.Module:
    genes = MULTI.parse("8_16-1_1_1_16-1_2_1_1_16_24-1_3_1_1_1_16_24_32-1_4_1_1_1_1_8_16_24_32-40")
    return MULTI.build(genes, classes=5)


def transformer() -> nn.Module:
    return VisionTransformer(width=24, depth=2, heads=3, classes=5)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "plain": (Plain, 8),
    "residual": (residual, 32),
    "grouped": (Grouped, 8),
    "depthwise": (depthwise, 32),
    "concatenated": (Dense, 8),
    "multi-branch": (multi_branch, 64),
    "transformer": (transformer, 224),
}
"""Name -> constructor, pixels of a side."""


def made(name: str) -> tuple[nn.Module, tuple[torch.Tensor]]:
    """The network with normal weights, statistics that differ, and an example of batch 2."""
    build, side = NETWORKS[name]
    with seeded(0):
        network = build()
        example = torch.randn(2, 3, side, side)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.2)
        network.train()
        with torch.no_grad():
            for _ in range(3):
                network(torch.randn(8, 3, side, side))
        network.eval()
    return network, (example,)
