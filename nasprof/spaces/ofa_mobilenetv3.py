"""Once-for-all MobileNetV3: kernel and expansion of up to 20 blocks, depths, resolution."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasprof.spaces._ofa_layers import Block, layer_keys
from nasprof.spaces._picture import Picture, chain
from nasprof.spaces._space import Choice, Genes
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

KERNELS, EXPANDS, DEPTHS = (3, 5, 7), (3, 4, 6), (2, 3, 4)
RESOLUTIONS = tuple(range(128, 225, 4))
STAGES, SLOTS = 5, 20
NAMES = (
    *(f"kernel_size_{slot}" for slot in range(1, SLOTS + 1)),
    *(f"expand_ratio_{slot}" for slot in range(1, SLOTS + 1)),
    *(f"depth_{stage}" for stage in range(1, STAGES + 1)),
    "resolution",
)
CHOICES = ((KERNELS,) * SLOTS) + ((EXPANDS,) * SLOTS) + ((DEPTHS,) * STAGES) + (RESOLUTIONS,)
_STAGE = re.compile(r"([357]{2,4})\.([346]{2,4})")


@dataclass(frozen=True, slots=True)
class OfaMobileNetV3:
    """The sub-networks of one once-for-all super-net; `width` multiplies all channels.

    Source: Cai et al., "Once-for-All", ICLR 2020, section 4.1.
    """

    name: str = "ofa-mobilenetv3"
    width: float = 1.0
    title: str = "Once-for-all MobileNetV3, width 1.0: kernels, expansions, depths, resolution"
    task: str = "classification"
    input_shape: tuple[int, ...] = (3, 224, 224)
    input_dtype: str = "float32"
    input_high: int | None = None
    gene_names: tuple[str, ...] = NAMES
    choices: tuple[tuple[Choice, ...], ...] = CHOICES
    sizes: tuple[int, ...] = tuple(len(options) for options in CHOICES)

    def valid(self, genes: Genes) -> bool:
        """Tell whether the genes of blocks beyond a stage's depth are at the first choice."""
        return len(genes) == len(NAMES) and self.repair(genes) == genes

    def repair(self, genes: Genes) -> Genes:
        """The genes with those of blocks beyond a stage's depth set to the first choice."""
        form = list(genes)
        for stage in range(STAGES):
            for block in range(DEPTHS[genes[2 * SLOTS + stage]], 4):
                form[4 * stage + block] = form[SLOTS + 4 * stage + block] = 0
        return tuple(form)

    def canonical(self, genes: Genes) -> Genes:
        """The genes themselves, mended: all architectures differ."""
        return self.repair(genes)

    def stages(self, genes: Genes) -> tuple[tuple[Block, ...], ...]:
        """The blocks that are there, stage by stage."""
        return tuple(
            tuple(
                Block(KERNELS[genes[slot]], EXPANDS[genes[SLOTS + slot]])
                for slot in range(4 * stage, 4 * stage + DEPTHS[genes[2 * SLOTS + stage]])
            )
            for stage in range(STAGES)
        )

    def resolution(self, genes: Genes) -> int:
        """Height and width of the images."""
        return RESOLUTIONS[genes[-1]]

    def shape_of(self, genes: Genes) -> tuple[int, ...]:
        """The shape of one input, which a gene chooses."""
        return (3, self.resolution(genes), self.resolution(genes))

    def layer_keys(self, genes: Genes) -> tuple[str, ...]:
        """The keys of the network's layers in published latency tables."""
        return layer_keys(self.stages(genes), self.width, self.resolution(genes))

    def describe(self, genes: Genes) -> str:
        """Write `r224-75.64-...`: resolution, then kernels and expansions of each stage."""
        stages = (
            "".join(str(b.kernel) for b in blocks) + "." + "".join(str(b.expand) for b in blocks)
            for blocks in self.stages(genes)
        )
        return "-".join((f"r{self.resolution(genes)}", *stages))

    def parse(self, text: str) -> Genes:
        """Read that text, or a released JSON object with `ks`, `e`, `d` and perhaps `r`.

        Raises: InputError for anything else.
        """
        if text.lstrip().startswith("{"):
            return self._from_json(text)
        resolution, *parts = text.strip().split("-")
        found = [_STAGE.fullmatch(part) for part in parts]
        pairs = [(m[1], m[2]) for m in found if m and len(m[1]) == len(m[2])]
        if len(pairs) != STAGES or len(parts) != STAGES or resolution[:1] != "r":
            raise self._error(text)
        kernels = [int(kernel) for ks, _ in pairs for kernel in ks.ljust(4, "3")]
        expands = [int(expand) for _, es in pairs for expand in es.ljust(4, "3")]
        return self._coded(
            text, [*kernels, *expands, *(len(ks) for ks, _ in pairs)], resolution[1:]
        )

    def picture(self, genes: Genes) -> Picture:
        """The stages one below the other: kernel and expansion of each block."""
        stages = [
            "  ".join(f"k{block.kernel} e{block.expand}" for block in blocks)
            for blocks in self.stages(genes)
        ]
        return chain([f"{self.resolution(genes)} px, width {self.width}", *stages, "head"])

    def build(
        self,
        genes: Genes,
        *,
        classes: int = 1000,
        channels_in: int = 3,
        width: float | None = None,
    ) -> nn.Module:
        """Make the sub-network as a network of its own; `width` overrides the super-net's.

        Shapes: images [N, channels_in, r, r] to scores [N, classes].
        """
        from nasprof.spaces._networks.ofa_mobilenetv3 import network

        return network(self.stages(genes), width or self.width, classes, channels_in)

    def small(self, genes: Genes, *, classes: int, channels: int) -> nn.Module:
        """Make the sub-network at half of the width."""
        return self.build(genes, classes=classes, channels_in=channels, width=0.5)

    def _from_json(self, text: str) -> Genes:
        try:
            code: dict[str, Any] = json.loads(text)
            depths = [int(depth) for depth in code["d"]]
            kernels = _slots([int(kernel) for kernel in code["ks"]], depths)
            expands = _slots([int(expand) for expand in code["e"]], depths)
            found = code.get("r", 224)
            resolution = str(found[0] if isinstance(found, list) else found)
        except (ValueError, KeyError, TypeError, IndexError):
            raise self._error(text) from None
        return self._coded(text, [*kernels, *expands, *depths], resolution)

    def _coded(self, text: str, values: list[int], resolution: str) -> Genes:
        if not resolution.isdecimal() or int(resolution) not in RESOLUTIONS:
            raise InputError(
                f"{text!r} has resolution {resolution}; {self.name} has 128..224 in steps of 4"
            )
        values = [*values, int(resolution)]
        pairs = zip(values, CHOICES, strict=False)
        if len(values) != len(NAMES) or any(value not in options for value, options in pairs):
            raise self._error(text)
        genes = tuple(options.index(v) for v, options in zip(values, CHOICES, strict=True))
        return self.repair(genes)

    def _error(self, text: str) -> InputError:
        return InputError(
            f"{text!r} is no {self.name} architecture; give five stages of kernels and expansions "
            "such as 'r224-35.46-7573.4346-3757.4663-3355.6663-7535.6643', or JSON with ks, e, d"
        )


def _slots(values: list[int], depths: list[int]) -> list[int]:
    # Some releases list all 20 slots, some only the blocks that are there.
    if len(values) == SLOTS:
        return [3 if place % 4 >= depths[place // 4] else v for place, v in enumerate(values)]
    left = iter(values)
    return [next(left) if block < depth else 3 for depth in depths for block in range(4)]


PLUGIN = OfaMobileNetV3()
