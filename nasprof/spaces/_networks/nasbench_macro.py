"""The networks of NAS-Bench-Macro."""

from __future__ import annotations

from torch import nn

from nasprof.spaces._networks.mobile import BlockPlan, Classifier, InvertedResidual, conv_bn
from nasprof.spaces.nasbench_macro import STAGES


def network(ops: tuple[str, ...], classes: int, channels_in: int, width: int) -> nn.Module:
    """Make the network of eight blocks; a stage halves the resolution and doubles channels.

    Shapes: images [N, channels_in, H, W] to scores [N, classes].
    Source: Su et al., CVPR 2021, and the released training code of the benchmark.
    """
    channels = width
    features: list[nn.Module] = [conv_bn(channels_in, width, 3)]
    left = iter(ops)
    for layers in STAGES:
        for place in range(layers):
            out = channels if place else 2 * channels
            features.append(_block(next(left), channels, out))
            channels = out
    features.append(conv_bn(channels, 1280, 1))
    return Classifier(features, nn.Linear(1280, classes))


def _block(op: str, channels: int, out: int) -> nn.Module:
    stride = 1 if channels == out else 2
    if op == "identity":
        return nn.Identity() if stride == 1 else conv_bn(channels, out, 1, 2, act=None)
    expand, kernel = (int(part[-1]) for part in op.split("_"))
    return InvertedResidual(BlockPlan(channels, channels * expand, out, kernel, stride))
