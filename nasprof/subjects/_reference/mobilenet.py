"""MobileNetV2."""

from __future__ import annotations

import torch
from torch import nn

# expansion, channels, blocks, stride of the first block
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter depthwise by 3x3, project by 1x1 without an activation."""

    def __init__(self, channels_in: int, channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels_in * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_conv_bn_relu(channels_in, hidden, 1)]
        self.conv = nn.Sequential(
            *layers,
            _conv_bn_relu(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.residual = stride == 1 and channels_in == channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the input where the shapes allow it."""
        out: torch.Tensor = self.conv(x)
        return x + out if self.residual else out


class MobileNetV2(nn.Module):
    """Inverted residuals at width 1.0; parameters are named as in torchvision.

    Shapes: images [N, 3, H, W] to scores [N, classes].
    Source: Sandler et al., "MobileNetV2", CVPR 2018, table 2.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv_bn_relu(3, 32, 3, 2)]
        channels_in = 32
        for expansion, channels, blocks, stride in _STAGES:
            for index in range(blocks):
                first = stride if index == 0 else 1
                layers.append(InvertedResidual(channels_in, channels, first, expansion))
                channels_in = channels
        layers.append(_conv_bn_relu(channels_in, 1280, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score a batch of images."""
        x = nn.functional.adaptive_avg_pool2d(self.features(x), 1)
        scores: torch.Tensor = self.classifier(torch.flatten(x, 1))
        return scores


def mobilenet_v2() -> nn.Module:
    """MobileNetV2 1.0: 3,504,872 parameters."""
    return MobileNetV2()


def _conv_bn_relu(
    channels_in: int, channels: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(inplace=True),
    )
