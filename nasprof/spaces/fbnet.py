"""FBNet: 22 layers that choose one of nine blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasprof.spaces._picture import Picture
from nasprof.spaces._space import Choice, Genes
from nasprof.spaces._stages import skips_last, stages_picture
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

OPS = ("k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", "skip")
SKIP = OPS.index("skip")
STAGES = (1, 4, 4, 4, 4, 4, 1)
LAYERS = sum(STAGES)
STEM = 16
CHANNELS = (16, 24, 32, 64, 112, 184, 352)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
LAST = 1984


@dataclass(frozen=True, slots=True)
class FbNet:
    """The layer space; `k5_e3` is kernel 5, expansion 3, and `g2` two groups in the 1x1 layers.

    Source: Wu et al., "FBNet", CVPR 2019, tables 1 and 2; order of blocks, and the form for 32x32
    images, from Li et al., "HW-NAS-Bench", ICLR 2021.
    """

    name: str = "fbnet"
    title: str = "FBNet: 22 layers, 9 blocks"
    task: str = "classification"
    input_shape: tuple[int, ...] = (3, 224, 224)
    input_dtype: str = "float32"
    input_high: int | None = None
    gene_names: tuple[str, ...] = tuple(f"layer{layer}" for layer in range(1, LAYERS + 1))
    choices: tuple[tuple[Choice, ...], ...] = (OPS,) * LAYERS
    sizes: tuple[int, ...] = (len(OPS),) * LAYERS

    def valid(self, genes: Genes) -> bool:
        """Every combination is an architecture."""
        return len(genes) == LAYERS

    def canonical(self, genes: Genes) -> Genes:
        """The genes with skips that do nothing at the end of their stage."""
        return skips_last(genes, STAGES, SKIP)

    def describe(self, genes: Genes) -> str:
        """Write the 22 block numbers joined by `-`."""
        return "-".join(str(gene) for gene in genes)

    def parse(self, text: str) -> Genes:
        """Read 22 block numbers or names joined by `-`.

        Raises: InputError for anything else.
        """
        parts = text.strip().split("-")
        genes = tuple(
            OPS.index(p) if p in OPS else int(p) if p.isdecimal() else len(OPS) for p in parts
        )
        if len(genes) != LAYERS or max(genes) >= len(OPS):
            raise InputError(
                f"{text!r} is no FBNet architecture; give 22 numbers 0..8 joined by '-', which "
                f"stand for {', '.join(OPS)}"
            )
        return genes

    def layer_keys(self, genes: Genes) -> tuple[str, ...]:
        """The keys of the ImageNet network's layers in the table of HW-NAS-Bench."""
        return _layer_keys(genes)

    def picture(self, genes: Genes) -> Picture:
        """The stages one below the other."""
        return stages_picture([OPS[gene] for gene in genes], STAGES)

    def build(
        self, genes: Genes, *, classes: int = 1000, channels_in: int = 3, cifar: bool = False
    ) -> nn.Module:
        """Make the network for ImageNet, or with `cifar` that for 32x32 images.

        Shapes: images [N, channels_in, H, W] to scores [N, classes].
        """
        from nasprof.spaces._networks.fbnet import network

        return network(tuple(OPS[gene] for gene in genes), classes, channels_in, cifar)

    def small(self, genes: Genes, *, classes: int, channels: int) -> nn.Module:
        """Make the network for small images."""
        return self.build(genes, classes=classes, channels_in=channels, cifar=True)


def _layer_keys(genes: Genes) -> tuple[str, ...]:
    size = 112
    keys = [f"ConvNorm_H224_W224_Cin3_Cout{STEM}_kernel3_stride2_group1"]
    channels, left = STEM, iter(genes)
    for layers, out, first in zip(STAGES, CHANNELS, STRIDES, strict=True):
        for place in range(layers):
            stride = 1 if place else first
            op = OPS[next(left)]
            shape = f"H{size}_W{size}_Cin{channels}_Cout{out}"
            if op == "skip":
                keys.append(f"Skip_{shape}_stride{stride}")
            else:
                kernel, expand, *groups = (int(part[1:]) for part in op.split("_"))
                keys.append(
                    f"ConvBlock_{shape}_exp{expand}_kernel{kernel}_stride{stride}"
                    f"_group{groups[0] if groups else 1}"
                )
            channels, size = out, size // stride
    return (
        *keys,
        f"ConvNorm_H{size}_W{size}_Cin{channels}_Cout{LAST}_kernel1_stride1_group1",
        f"AvgP_H{size}_W{size}_Cin{LAST}_Cout{LAST}_kernel{size}_stride1",
        f"FC_Cin{LAST}_Cout1000",
    )


PLUGIN = FbNet()
