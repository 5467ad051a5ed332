"""The residual networks for CIFAR that published prunings start from."""

from __future__ import annotations

import torch
from torch import nn

_WIDTHS = (16, 32, 64)
_EXPANSION = 4


class Padded(nn.Module):
    """A shortcut without parameters: every second place, zeros for the channels that are new."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.before = (channels - channels_in) // 2
        self.after = channels - channels_in - self.before

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Halve both sides and pad the channels."""
        return nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.before, self.after))


class Basic(nn.Module):
    """Two 3x3 convolutions around which the input is added."""

    def __init__(self, channels_in: int, channels: int, stride: int, projected: bool) -> None:
        super().__init__()
        self.conv1 = _conv(channels_in, channels, 3, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv(channels, channels, 3)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module = nn.Identity()
        if channels_in != channels and projected:
            self.downsample = nn.Sequential(
                _conv(channels_in, channels, 1, stride), nn.BatchNorm2d(channels)
            )
        elif channels_in != channels:
            self.downsample = Padded(channels_in, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the residual to the (padded or projected) input."""
        out = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (out + self.downsample(x)).relu()


class CifarResNet(nn.Module):
    """Stem, three stages of basic blocks at 32, 16 and 8 pixels, classifier.

    Shapes: images [N, 3, 32, 32] to scores [N, classes].
    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2.
    """

    def __init__(
        self,
        blocks: int,
        widths: tuple[int, int, int] = _WIDTHS,
        *,
        projected: bool = False,
        classes: int = 10,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.conv1 = _conv(channels, widths[0], 3)
        self.bn1 = nn.BatchNorm2d(widths[0])
        width_in = widths[0]
        for stage, width in enumerate(widths):
            layers = []
            for index in range(blocks):
                stride = 2 if stage and not index else 1
                layers.append(Basic(width_in, width, stride, projected))
                width_in = width
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(width_in, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score a batch of images."""
        x = self.bn1(self.conv1(x)).relu()
        for stage in (1, 2, 3):
            x = self.get_submodule(f"layer{stage}")(x)
        scores: torch.Tensor = self.fc(x.mean((2, 3)))
        return scores


class PreBottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, each after its normalisation and ReLU."""

    def __init__(self, channels_in: int, width: int, stride: int) -> None:
        super().__init__()
        channels = width * _EXPANSION
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = _conv(channels_in, width, 1)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3, stride)
        self.bn3 = nn.BatchNorm2d(width)
        self.conv3 = _conv(width, channels, 1)
        changes = channels_in != channels
        self.downsample = _conv(channels_in, channels, 1, stride) if changes else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the residual to the input as it came, or to its projection."""
        out = self.conv1(self.bn1(x).relu())
        out = self.conv3(self.bn3(self.conv2(self.bn2(out).relu())).relu())
        shortcut: torch.Tensor = self.downsample(x)
        return out + shortcut


class PreResNet(nn.Module):
    """Stem, three stages of pre-activation bottlenecks, a last normalisation, classifier.

    Shapes: images [N, 3, 32, 32] to scores [N, classes].
    Source: He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016, figure 1b.
    """

    def __init__(self, blocks: int, classes: int) -> None:
        super().__init__()
        self.conv1 = _conv(3, _WIDTHS[0], 3)
        channels = _WIDTHS[0]
        for stage, width in enumerate(_WIDTHS):
            layers = []
            for index in range(blocks):
                layers.append(PreBottleneck(channels, width, 2 if stage and not index else 1))
                channels = width * _EXPANSION
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.bn = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score a batch of images."""
        x = self.conv1(x)
        for stage in (1, 2, 3):
            x = self.get_submodule(f"layer{stage}")(x)
        scores: torch.Tensor = self.fc(self.bn(x).relu().mean((2, 3)))
        return scores


def resnet56_c10() -> nn.Module:
    """ResNet-56 for CIFAR-10, shortcuts without parameters: 853,018 parameters."""
    return CifarResNet(9)


def resnet32_wide_c10() -> nn.Module:
    """ResNet-32 of twice the width for CIFAR-10, projected shortcuts: 1,860,522 parameters.

    Source: Zhou et al., "Effective Sparsification of Neural Networks with Global Sparsity
    Constraint", CVPR 2021 (the network of its experiments).
    """
    return CifarResNet(5, (32, 64, 128), projected=True)


def resnet164_c100() -> nn.Module:
    """Pre-activation ResNet-164 for CIFAR-100: 1,726,388 parameters."""
    return PreResNet(18, 100)


def _conv(channels_in: int, channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, bias=False)
