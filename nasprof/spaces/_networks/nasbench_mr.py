"""The multi-resolution network of NAS-Bench-MR and its heads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import interpolate

from nasprof.spaces.nasbench_mr import Code


class Network(nn.Module):
    """Stem, four stages of fusion and parallel modules, head.

    Shapes: images [N, channels_in, H, W] to scores [N, classes], or for `segmentation` to
    [N, classes, H/4, W/4]; `video` takes clips [N, T, channels_in, H, W] to [N, classes].
    Source: Ding et al., "Learning Versatile Neural Architectures by Propagating Network Codes",
    ICLR 2022, section 3.1, and its released network. That of the video task is not released: each
    frame goes through the classification network and scores are averaged over time.
    """

    def __init__(self, code: Code, classes: int, task: str, channels_in: int) -> None:
        super().__init__()
        first, second = code.stem
        self.task = task
        self.stem = nn.Sequential(
            conv_bn_relu(channels_in, first, 3, 2), conv_bn_relu(first, second, 3, 2)
        )
        modules: list[nn.Module] = []
        channels: Sequence[int] = (second,)
        for blocks, units, widths in code.stages:
            for _ in range(blocks):
                modules += [Fusion(channels, widths), Parallel(units, widths)]
                channels = widths
        self.stages = nn.ModuleList(modules)
        self.transform = conv_bn_relu(sum(channels), code.head, 1)
        self.classifier = nn.Conv2d(code.head, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.task != "video":
            return self._frames(x)
        clips, frames = x.shape[:2]
        return self._frames(x.flatten(0, 1)).unflatten(0, (clips, frames)).mean(1)

    def _frames(self, x: torch.Tensor) -> torch.Tensor:
        branches = [self.stem(x)]
        for module in self.stages:
            branches = module(branches)
        size = branches[0 if self.task == "segmentation" else -1].shape[2:]
        x = self.transform(torch.cat([resized(branch, size) for branch in branches], 1))
        if self.task == "segmentation":
            out: torch.Tensor = self.classifier(x)
            return out
        return self.classifier(x.mean((2, 3), keepdim=True)).flatten(1)


class Fusion(nn.Module):
    """Exchanges features between neighbouring resolutions, and adds a lower one where asked.

    Shapes: branch j is [N, C_j, H/2^j, W/2^j]; `channels` in, `widths` out, at most one more.
    """

    def __init__(self, channels: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.joins = nn.ModuleList(
            nn.ModuleDict(
                {
                    str(source): _path(channels[source], width, source - target)
                    for source in (target - 1, target, target + 1)
                    if 0 <= source < len(channels)
                }
            )
            for target, width in enumerate(widths[: len(channels)])
        )
        self.new = (
            conv_bn_relu(widths[-2], widths[-1], 3, 2) if len(widths) > len(channels) else None
        )

    def forward(self, branches: list[torch.Tensor]) -> list[torch.Tensor]:
        out = []
        for join in self.joins:
            terms = [path(branches[int(source)]) for source, path in join.items()]
            total = terms[0]
            for term in terms[1:]:
                total = total + resized(term, total.shape[2:])
            out.append(total.relu())
        if self.new is not None:
            out.append(self.new(out[-1]))
        return out


class Parallel(nn.Module):
    """Residual units on each resolution by itself."""

    def __init__(self, units: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(Residual(width) for _ in range(count)))
            for count, width in zip(units, widths, strict=True)
        )

    def forward(self, branches: list[torch.Tensor]) -> list[torch.Tensor]:
        return [unit(x) for unit, x in zip(self.branches, branches, strict=True)]


class Residual(nn.Module):
    """Two 3x3 convolutions with a shortcut; channels stay the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv_bn_relu(width, width, 3)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        # With a weight of 1 a hundred untrained layers amplify float32's rounding to 1e-3 of the
        # output, and no export could be told from a wrong one; the published start is 1.
        nn.init.constant_(self.second[1].weight, 0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = (x + self.second(self.first(x))).relu()
        return out


def conv_bn_relu(channels_in: int, channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


def resized(x: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Resize to another resolution (bilinear) where it differs."""
    if x.shape[2:] == size:
        return x
    return interpolate(x, size=size, mode="bilinear", align_corners=False)


def _path(channels_in: int, channels: int, up: int) -> nn.Module:
    if up == 0:
        return conv_bn_relu(channels_in, channels, 3)
    if up < 0:
        return conv_bn_relu(channels_in, channels, 3, 2)
    return nn.Sequential(
        conv_bn_relu(channels_in, channels, 1), nn.Upsample(scale_factor=2, mode="nearest")
    )
