"""The networks of the FBNet space."""

from __future__ import annotations

from torch import nn

from nasprof.spaces._networks.mobile import BlockPlan, Classifier, InvertedResidual, conv_bn
from nasprof.spaces.fbnet import CHANNELS, LAST, STAGES, STEM, STRIDES

CIFAR_STRIDES = (1, 1, 2, 2, 1, 2, 1)


def network(ops: tuple[str, ...], classes: int, channels_in: int, cifar: bool) -> nn.Module:
    """Make the network of 22 named blocks.

    Shapes: images [N, channels_in, H, W] to scores [N, classes].
    Source: Wu et al., "FBNet", CVPR 2019, table 1; for 32x32 images Li et al., "HW-NAS-Bench".
    """
    channels = STEM
    features: list[nn.Module] = [conv_bn(channels_in, STEM, 3, 1 if cifar else 2)]
    left = iter(ops)
    for layers, out, stride in zip(
        STAGES, CHANNELS, CIFAR_STRIDES if cifar else STRIDES, strict=True
    ):
        for place in range(layers):
            features.append(_block(next(left), channels, out, stride if place == 0 else 1))
            channels = out
    last = 1504 if cifar else LAST
    features.append(conv_bn(channels, last, 1))
    return Classifier(features, nn.Linear(last, classes))


def _block(op: str, channels: int, out: int, stride: int) -> nn.Module:
    if op == "skip":
        same = stride == 1 and channels == out
        return nn.Identity() if same else conv_bn(channels, out, 1, stride)
    kernel, expand, *groups = (int(part[1:]) for part in op.split("_"))
    return InvertedResidual(
        BlockPlan(
            channels, channels * expand, out, kernel, stride, groups=groups[0] if groups else 1
        )
    )
