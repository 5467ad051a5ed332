"""Inverted residual blocks: what the mobile spaces have in common."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """An inverted residual: 1x1 to `middle`, depthwise, 1x1 to `channels`.

    `squeeze` is the width of the squeeze-and-excitation branch or None; `groups` are those of both
    1x1 convolutions, shuffled between; `expanded` False leaves out the first 1x1.
    """

    channels_in: int
    middle: int
    channels: int
    kernel: int
    stride: int
    act: type[nn.Module] = nn.ReLU
    squeeze: int | None = None
    groups: int = 1
    expanded: bool = True


class InvertedResidual(nn.Module):
    """One block, with a shortcut where the shape stays the same."""

    def __init__(self, plan: BlockPlan) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if plan.expanded:
            layers.append(conv_bn(plan.channels_in, plan.middle, 1, 1, plan.groups, plan.act))
        if plan.groups > 1:
            layers.append(Shuffle(plan.groups))
        layers.append(
            conv_bn(plan.middle, plan.middle, plan.kernel, plan.stride, plan.middle, plan.act)
        )
        if plan.squeeze is not None:
            layers.append(SqueezeExcite(plan.middle, plan.squeeze))
        layers.append(conv_bn(plan.middle, plan.channels, 1, 1, plan.groups, None))
        self.layers = nn.Sequential(*layers)
        self.shortcut = plan.stride == 1 and plan.channels_in == plan.channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(x)
        return x + out if self.shortcut else out


class Shuffle(nn.Module):
    """Mixes channels between groups: channel i of group j becomes channel j of block i."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Not nn.ChannelShuffle: one of the exporters has no operator for it.
        return x.unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)


class SqueezeExcite(nn.Module):
    """Scales channels by a function of their means."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Conv2d(channels, squeeze, 1),
            nn.ReLU(),
            nn.Conv2d(squeeze, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x * self.gate(x.mean((2, 3), keepdim=True))
        return out


def conv_bn(
    channels_in: int,
    channels: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    act: type[nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Convolution without bias, batch normalisation, activation."""
    layers: list[nn.Module] = [
        nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels),
    ]
    if act is not None:
        layers.append(act())
    return nn.Sequential(*layers)


class Classifier(nn.Module):
    """Features, global average pool, head.

    Shapes: images [N, C, H, W] to scores [N, classes].
    """

    def __init__(self, features: list[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.head = head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.features(x).mean((2, 3)))
        return out
