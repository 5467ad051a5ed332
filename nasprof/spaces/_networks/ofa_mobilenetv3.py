"""The networks of the once-for-all MobileNetV3 space."""

from __future__ import annotations

from torch import nn

from nasprof.spaces._networks.mobile import BlockPlan, Classifier, InvertedResidual, conv_bn
from nasprof.spaces.ofa_mobilenetv3 import Block

STRIDES = (2, 2, 2, 1, 2)
WIDTHS = (24, 40, 80, 112, 160)
SQUEEZED = (False, True, False, True, True)
ACTS = (nn.ReLU, nn.ReLU, nn.Hardswish, nn.Hardswish, nn.Hardswish)


def make_divisible(value: float) -> int:
    """Round to a multiple of 8 without losing more than a tenth.

    Source: the MobileNet papers' released code, as written down in the once-for-all release.
    """
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def network(
    stages: tuple[tuple[Block, ...], ...], width: float, classes: int, channels_in: int
) -> nn.Module:
    """Make the network of five stages of blocks.

    Shapes: images [N, channels_in, H, W] to scores [N, classes].
    Source: Cai et al., "Once-for-All", ICLR 2020, and its released MobileNetV3 network; the layers
    are those of Howard et al., "Searching for MobileNetV3", ICCV 2019, table 1.
    """
    channels = make_divisible(16 * width)
    features: list[nn.Module] = [
        conv_bn(channels_in, channels, 3, 2, act=nn.Hardswish),
        InvertedResidual(BlockPlan(channels, channels, channels, 3, 1, expanded=False)),
    ]
    for stage, blocks in enumerate(stages):
        out = make_divisible(WIDTHS[stage] * width)
        for place, block in enumerate(blocks):
            stride = STRIDES[stage] if place == 0 else 1
            features.append(InvertedResidual(_plan(stage, block, channels, out, stride)))
            channels = out
    last = make_divisible(960 * width)
    features.append(conv_bn(channels, last, 1, act=nn.Hardswish))
    mixed = make_divisible(1280 * width)
    head = nn.Sequential(
        nn.Linear(last, mixed, bias=False), nn.Hardswish(), nn.Linear(mixed, classes)
    )
    return Classifier(features, head)


def _plan(stage: int, block: Block, channels: int, out: int, stride: int) -> BlockPlan:
    middle = make_divisible(round(channels * block.expand))
    squeeze = make_divisible(middle // 4) if SQUEEZED[stage] else None
    return BlockPlan(channels, middle, out, block.kernel, stride, ACTS[stage], squeeze)
