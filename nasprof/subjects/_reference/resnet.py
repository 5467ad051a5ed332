"""ResNet-18, ResNet-34 and ResNet-50."""

from __future__ import annotations

import torch
from torch import nn


class Block(nn.Module):
    """A residual block: two 3x3 convolutions, or 1x1, 3x3, 1x1 around a narrower middle.

    The stride of a bottleneck sits on its 3x3 convolution, as in the counts that are published.
    """

    def __init__(self, channels_in: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        channels = width * expansion
        if expansion == 1:
            self.conv1 = _conv(channels_in, width, 3, stride)
            self.conv2 = _conv(width, channels, 3)
        else:
            self.conv1 = _conv(channels_in, width, 1)
            self.conv2 = _conv(width, width, 3, stride)
            self.conv3 = _conv(width, channels, 1)
            self.bn3 = nn.BatchNorm2d(channels)
        self.bn1 = nn.BatchNorm2d(width)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.bottleneck = expansion > 1
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.downsample = nn.Sequential(
                _conv(channels_in, channels, 1, stride), nn.BatchNorm2d(channels)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the residual to the (projected) input."""
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self.bottleneck:
            out = self.bn3(self.conv3(self.relu(out)))
        result: torch.Tensor = self.relu(out + self.downsample(x))
        return result


class ResNet(nn.Module):
    """Stem, four stages of residual blocks, classifier; parameters are named as in torchvision.

    Shapes: images [N, 3, H, W] to scores [N, classes].
    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1.
    """

    def __init__(self, blocks: tuple[int, ...], expansion: int, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = _conv(3, 64, 7, 2)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for stage, count in enumerate(blocks):
            width = 64 << stage
            layers = []
            for index in range(count):
                layers.append(Block(channels, width, 2 if stage and not index else 1, expansion))
                channels = width * expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score a batch of images."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in (1, 2, 3, 4):
            x = self.get_submodule(f"layer{stage}")(x)
        scores: torch.Tensor = self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))
        return scores


def resnet18() -> nn.Module:
    """ResNet-18: 11,689,512 parameters."""
    return ResNet((2, 2, 2, 2), 1)


def resnet34() -> nn.Module:
    """ResNet-34: 21,797,672 parameters."""
    return ResNet((3, 4, 6, 3), 1)


def resnet50() -> nn.Module:
    """ResNet-50: 25,557,032 parameters."""
    return ResNet((3, 4, 6, 3), 4)


def _conv(channels_in: int, channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, bias=False)
