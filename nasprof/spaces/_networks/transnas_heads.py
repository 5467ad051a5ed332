"""The task heads of TransNAS-Bench-101."""

from __future__ import annotations

from math import log2

import torch
from torch import nn

from nasprof.spaces._transnas import OUTPUTS, Plan

TARGET = 256
"""Height and width of the images that the dense heads make; the published training size."""


def head(task: str, plan: Plan, classes: int | None) -> nn.Module:
    """Make the head of a task for the features of an encoder.

    Source: Duan et al., "TransNAS-Bench-101", CVPR 2021, appendix, and the released decoders.
    """
    outputs = classes or OUTPUTS[task]
    if task == "jigsaw":
        return nn.Linear(9 * plan.channels, outputs)
    if task == "segmentsemantic":
        return _segmentation(plan, outputs)
    if task in ("normal", "autoencoder"):
        return _generator(plan, outputs)
    return Classifier(plan.channels, outputs)


class Classifier(nn.Module):
    """Global average pool and a linear layer."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.linear(x.mean((2, 3)))
        return out


def _segmentation(plan: Plan, outputs: int) -> nn.Module:
    doublings = _doublings(plan)
    layers, channels = [_layer(plan.channels, 1024)], 1024
    # Seven layers in all: those that do not double the size come first.
    for place in range(5):
        layers.append(_layer(channels, channels // 2, up=place >= 6 - doublings))
        channels //= 2
    layers.append(_layer(channels, channels, up=True))
    return nn.Sequential(*layers, nn.Conv2d(channels, outputs, 3, padding=1))


# Output channels of each layer, and from how many doublings on it doubles the size (7: never).
_GENERATOR = (
    (1024, 7), (1024, 7), (512, 6), (512, 7), (256, 5), (128, 7), (64, 4),
    (64, 7), (32, 3), (32, 7), (16, 0), (32, 7), (16, 0),
)  # fmt: skip


def _generator(plan: Plan, outputs: int) -> nn.Module:
    doublings = _doublings(plan)
    layers, channels = [], plan.channels
    for width, least in _GENERATOR:
        layers.append(_layer(channels, width, up=doublings >= least))
        channels = width
    return nn.Sequential(*layers, nn.Conv2d(channels, outputs, 3, padding=1), nn.Tanh())


def _doublings(plan: Plan) -> int:
    return int(log2(TARGET / (TARGET // 4 >> plan.halvings)))


def _layer(channels: int, out: int, up: bool = False) -> nn.Module:
    conv = (
        nn.ConvTranspose2d(channels, out, 3, 2, 1, output_padding=1)
        if up
        else nn.Conv2d(channels, out, 3, padding=1)
    )
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.LeakyReLU(0.2))
