"""VGG-16 and VGG-19 for CIFAR, with BatchNorm and one linear layer."""

from __future__ import annotations

import torch
from torch import nn

_WIDTHS = (64, 128, 256, 512, 512)


class Vgg(nn.Module):
    """Five stages of 3x3 convolutions with 2x2 pooling between them, classifier.

    Shapes: images [N, 3, 32, 32] to scores [N, classes]; the last map of 2x2 pixels is averaged.
    Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
    Recognition", ICLR 2015, table 1; one linear layer as in Liu et al., "Learning Efficient
    Convolutional Networks through Network Slimming", ICCV 2017.
    """

    def __init__(self, layers: tuple[int, ...], classes: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        channels = 3
        for stage, (count, width) in enumerate(zip(layers, _WIDTHS, strict=True)):
            if stage:
                parts.append(nn.MaxPool2d(2))
            for _ in range(count):
                conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
                parts += [conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                channels = width
        self.features = nn.Sequential(*parts)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score a batch of images."""
        scores: torch.Tensor = self.fc(self.features(x).mean((2, 3)))
        return scores


def vgg16_c10() -> nn.Module:
    """VGG-16 for CIFAR-10: 14,724,042 parameters."""
    return Vgg((2, 2, 3, 3, 3), 10)


def vgg16_c100() -> nn.Module:
    """VGG-16 for CIFAR-100: 14,770,212 parameters."""
    return Vgg((2, 2, 3, 3, 3), 100)


def vgg19_c100() -> nn.Module:
    """VGG-19 for CIFAR-100: 20,081,188 parameters."""
    return Vgg((2, 2, 4, 4, 4), 100)
