"""DenseNet-40 for CIFAR."""

from __future__ import annotations

import torch
from torch import nn

_GROWTH = 12
_LAYERS = 12


class Layer(nn.Module):
    """A 3x3 convolution that sees all features before it and adds its own to them."""

    def __init__(self, channels_in: int, growth: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels_in)
        self.conv = nn.Conv2d(channels_in, growth, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Concatenate what came in and what is new."""
        return torch.cat([x, self.conv(self.bn(x).relu())], 1)


class Transition(nn.Module):
    """A 1x1 convolution of as many channels as come in, and half the pixels of each side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mix the channels and average 2x2 pixels."""
        return nn.functional.avg_pool2d(self.conv(self.bn(x).relu()), 2)


class DenseNet(nn.Module):
    """Stem of 24 channels, three dense blocks of 12 layers with growth 12, classifier.

    Shapes: images [N, 3, 32, 32] to scores [N, classes].
    Source: Huang et al., "Densely Connected Convolutional Networks", CVPR 2017, section 4.2
    (basic layers, no compression).
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        channels = 2 * _GROWTH
        self.conv1 = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        parts: list[nn.Module] = []
        for block in range(3):
            for _ in range(_LAYERS):
                parts.append(Layer(channels, _GROWTH))
                channels += _GROWTH
            if block < 2:
                parts.append(Transition(channels))
        self.features = nn.Sequential(*parts)
        self.bn = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score a batch of images."""
        x = self.bn(self.features(self.conv1(x))).relu()
        scores: torch.Tensor = self.fc(x.mean((2, 3)))
        return scores


def densenet40_c10() -> nn.Module:
    """DenseNet-40 (growth 12) for CIFAR-10: 1,059,298 parameters."""
    return DenseNet(10)


def densenet40_c100() -> nn.Module:
    """DenseNet-40 (growth 12) for CIFAR-100: 1,100,428 parameters."""
    return DenseNet(100)
