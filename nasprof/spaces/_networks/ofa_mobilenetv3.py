"""The networks of the once-for-all MobileNetV3 space."""

from __future__ import annotations

from torch import nn

from nasprof.spaces._networks.mobile import BlockPlan, Classifier, InvertedResidual, conv_bn
from nasprof.spaces._ofa_layers import LAST, MIXED, STEM, Block, Layer, layers, make_divisible


def network(
    stages: tuple[tuple[Block, ...], ...], width: float, classes: int, channels_in: int
) -> nn.Module:
    """Make the network of five stages of blocks.

    Shapes: images [N, channels_in, H, W] to scores [N, classes].
    Source: Cai et al., "Once-for-All", ICLR 2020, and its released MobileNetV3 network; the layers
    are those of Howard et al., "Searching for MobileNetV3", ICCV 2019, table 1.
    """
    channels = make_divisible(STEM * width)
    features: list[nn.Module] = [
        conv_bn(channels_in, channels, 3, 2, act=nn.Hardswish),
        InvertedResidual(BlockPlan(channels, channels, channels, 3, 1, expanded=False)),
    ]
    for layer in layers(stages, width):
        features.append(InvertedResidual(_plan(layer)))
        channels = layer.channels
    last, mixed = make_divisible(LAST * width), make_divisible(MIXED * width)
    features.append(conv_bn(channels, last, 1, act=nn.Hardswish))
    head = nn.Sequential(
        nn.Linear(last, mixed, bias=False), nn.Hardswish(), nn.Linear(mixed, classes)
    )
    return Classifier(features, head)


def _plan(layer: Layer) -> BlockPlan:
    return BlockPlan(
        layer.channels_in,
        layer.middle,
        layer.channels,
        layer.kernel,
        layer.stride,
        act=nn.Hardswish if layer.hard_swish else nn.ReLU,
        squeeze=layer.squeeze,
    )
