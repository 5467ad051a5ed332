"""The layers of once-for-all MobileNetV3 networks: widths, strides, and keys of latency tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

STRIDES = (2, 2, 2, 1, 2)
WIDTHS = (24, 40, 80, 112, 160)
SQUEEZED = (False, True, False, True, True)
HARD_SWISH = (False, False, True, True, True)
STEM, LAST, MIXED = 16, 960, 1280


@dataclass(frozen=True, slots=True)
class Block:
    """Kernel size and expansion ratio of one block."""

    kernel: int
    expand: int


@dataclass(frozen=True, slots=True)
class Layer:
    """One inverted residual; `squeeze` is the width of its squeeze-and-excitation branch."""

    channels_in: int
    middle: int
    channels: int
    kernel: int
    stride: int
    squeeze: int | None
    hard_swish: bool


def make_divisible(value: float) -> int:
    """Round to a multiple of 8 without losing more than a tenth.

    Source: the released code of Cai et al., "Once-for-All", ICLR 2020.
    """
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def layers(stages: tuple[tuple[Block, ...], ...], width: float) -> Iterator[Layer]:
    """The searchable layers in order; those before them end with the channels of the stem.

    Source: Howard et al., "Searching for MobileNetV3", ICCV 2019, table 1.
    """
    channels = make_divisible(STEM * width)
    for stage, blocks in enumerate(stages):
        out = make_divisible(WIDTHS[stage] * width)
        for place, block in enumerate(blocks):
            middle = make_divisible(round(channels * block.expand))
            yield Layer(
                channels,
                middle,
                out,
                block.kernel,
                1 if place else STRIDES[stage],
                make_divisible(middle // 4) if SQUEEZED[stage] else None,
                HARD_SWISH[stage],
            )
            channels = out


def layer_keys(
    stages: tuple[tuple[Block, ...], ...], width: float, resolution: int
) -> tuple[str, ...]:
    """The keys of a network's layers in the latency tables that OFA and its followers publish."""
    size = (resolution - 1) // 2 + 1
    stem, last, mixed = (make_divisible(c * width) for c in (STEM, LAST, MIXED))
    keys = [
        f"Conv-input:{resolution}x{resolution}x3-output:{size}x{size}x{stem}",
        _key(Layer(stem, stem, stem, 3, 1, None, False), size),
    ]
    for layer in layers(stages, width):
        keys.append(_key(layer, size))
        size = (size - 1) // layer.stride + 1
        channels = layer.channels
    return (
        *keys,
        f"Conv_1-input:{size}x{size}x{channels}-output:{size}x{size}x{last}",
        f"AvgPool2D-input:{size}x{size}x{last}-output:1x1x{last}",
        f"Conv_2-input:1x1x{last}-output:1x1x{mixed}",
        f"Logits-input:1x1x{mixed}-output:1000",
    )


def _key(layer: Layer, size: int) -> str:
    out = (size - 1) // layer.stride + 1
    same = layer.stride == 1 and layer.channels_in == layer.channels
    return (
        f"expanded_conv-input:{size}x{size}x{layer.channels_in}-output:{out}x{out}x{layer.channels}"
        f"-expand:{layer.middle}-kernel:{layer.kernel}-stride:{layer.stride}-idskip:{same:d}"
        f"-se:{layer.squeeze is not None:d}-hs:{layer.hard_swish:d}"
    )
