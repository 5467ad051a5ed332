"""NAS-Bench-Macro: eight layers that choose one of three blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from nasprof.spaces._picture import Picture
from nasprof.spaces._space import Choice, Genes
from nasprof.spaces._stages import skips_last, stages_picture
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

OPS = ("identity", "mb3_k3", "mb6_k5")
STAGES = (2, 3, 3)
LAYERS = sum(STAGES)


@dataclass(frozen=True, slots=True)
class NasBenchMacro:
    """6,561 codes of 8 digits, 3,969 different networks.

    Source: Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021,
    section 5, and its released benchmark.
    """

    name: str = "nasbench-macro"
    title: str = "NAS-Bench-Macro: 8 layers, 3 blocks, 3,969 differ"
    task: str = "classification"
    input_shape: tuple[int, ...] = (3, 32, 32)
    input_dtype: str = "float32"
    input_high: int | None = None
    gene_names: tuple[str, ...] = tuple(f"layer{layer}" for layer in range(1, LAYERS + 1))
    choices: tuple[tuple[Choice, ...], ...] = (OPS,) * LAYERS
    sizes: tuple[int, ...] = (len(OPS),) * LAYERS

    def valid(self, genes: Genes) -> bool:
        """Every combination is an architecture."""
        return len(genes) == LAYERS

    def canonical(self, genes: Genes) -> Genes:
        """The genes with identities that do nothing at the end of their stage."""
        return skips_last(genes, STAGES, 0)

    def members(self) -> Sequence[Genes]:
        """All codes in order."""
        return _members()

    def describe(self, genes: Genes) -> str:
        """Write the eight digits."""
        return "".join(str(gene) for gene in genes)

    def parse(self, text: str) -> Genes:
        """Read eight digits 0..2; a table may have dropped zeros in front of a number.

        Raises: InputError for anything else.
        """
        digits = text.strip().rjust(LAYERS, "0")
        if not text.strip() or len(digits) != LAYERS or not set(digits) <= set("012"):
            raise InputError(
                f"{text!r} is no NAS-Bench-Macro architecture; give 8 digits 0..2, which stand for "
                f"{', '.join(OPS)}"
            )
        return tuple(int(digit) for digit in digits)

    def picture(self, genes: Genes) -> Picture:
        """The stages one below the other."""
        return stages_picture([OPS[gene] for gene in genes], STAGES)

    def build(
        self, genes: Genes, *, classes: int = 10, channels_in: int = 3, width: int = 32
    ) -> nn.Module:
        """Make the published network; `width` is the number of channels of the stem.

        Shapes: images [N, channels_in, H, W] to scores [N, classes].
        """
        from nasprof.spaces._networks.nasbench_macro import network

        return network(tuple(OPS[gene] for gene in genes), classes, channels_in, width)

    def small(self, genes: Genes, *, classes: int, channels: int) -> nn.Module:
        """Make the network at half of the width."""
        return self.build(genes, classes=classes, channels_in=channels, width=16)


@cache
def _members() -> tuple[Genes, ...]:
    return tuple(product(range(len(OPS)), repeat=LAYERS))


PLUGIN = NasBenchMacro()
