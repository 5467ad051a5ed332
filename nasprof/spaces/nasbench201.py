"""NAS-Bench-201: a cell of four nodes and six edges, 15,625 architectures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from random import Random
from typing import TYPE_CHECKING

from nasprof.spaces._picture import Picture, cell_picture
from nasprof.spaces._space import Choice, Genes
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, target) of each gene, target-major."""

NONE, SKIP = 0, 1


@dataclass(frozen=True, slots=True)
class NasBench201:
    """The cell space of Dong and Yang; genes are the operations of the six edges.

    Source: Dong and Yang, "NAS-Bench-201", ICLR 2020, section 2; index order of the released table.
    """

    name: str = "nasbench201"
    title: str = "NAS-Bench-201: one cell, 6 edges, 5 operations, 6,466 differ"
    task: str = "classification"
    input_shape: tuple[int, ...] = (3, 32, 32)
    input_dtype: str = "float32"
    input_high: int | None = None
    gene_names: tuple[str, ...] = tuple(f"{source}>{target}" for source, target in EDGES)
    choices: tuple[tuple[Choice, ...], ...] = (OPS,) * 6
    sizes: tuple[int, ...] = (5,) * 6

    def valid(self, genes: Genes) -> bool:
        """Every combination is an architecture."""
        return len(genes) == 6

    def canonical(self, genes: Genes) -> Genes:
        """The smallest genes with the same `expression`: 6,466 of 15,625 differ."""
        return _canonical_forms()[genes]

    def describe(self, genes: Genes) -> str:
        """Write the cell as `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
        parts = [f"{OPS[gene]}~{source}" for gene, (source, _) in zip(genes, EDGES, strict=True)]
        return f"|{parts[0]}|+|{'|'.join(parts[1:3])}|+|{'|'.join(parts[3:])}|"

    def parse(self, text: str) -> Genes:
        """Read the standard string or the index 0..15624.

        Raises: InputError for anything else.
        """
        text = text.strip()
        if text.isdecimal():
            return self.at(int(text))
        parts = [part for group in text.split("+") for part in group.strip("|").split("|")]
        sources = [part.rpartition("~")[2] for part in parts]
        if sources != [str(source) for source, _ in EDGES]:
            raise InputError(
                f"{text!r} is no NAS-Bench-201 cell; give an index 0..15624 or "
                "'|op~0|+|op~0|op~1|+|op~0|op~1|op~2|'"
            )
        return tuple(_operation(part.rpartition("~")[0]) for part in parts)

    def index_of(self, genes: Genes) -> int:
        """The number of the cell in the released table."""
        return _index()[genes]

    def at(self, index: int) -> Genes:
        """The cell with a number of the released table.

        Raises: InputError when there is no such number.
        """
        if not 0 <= index < len(_order()):
            raise InputError(f"NAS-Bench-201 has no index {index}; it must be 0..15624")
        return _order()[index]

    def members(self) -> Sequence[Genes]:
        """All cells in index order."""
        return _order()

    def picture(self, genes: Genes) -> Picture:
        """The cell as a graph."""
        return cell_picture(EDGES, [OPS[gene] for gene in genes])

    def build(
        self,
        genes: Genes,
        *,
        classes: int = 10,
        stem_channels_in: int = 3,
        cells_per_stage: int = 5,
        width: int = 16,
    ) -> nn.Module:
        """Make the published network, or a smaller one with the same cell.

        Shapes: images [N, stem_channels_in, H, W] to scores [N, classes].
        """
        from nasprof.spaces._networks.nasbench201 import Network

        return Network(genes, classes, stem_channels_in, cells_per_stage, width)

    def small(self, genes: Genes, *, classes: int, channels: int) -> nn.Module:
        """Make the network with two cells a stage and half the channels."""
        return self.build(
            genes, classes=classes, stem_channels_in=channels, cells_per_stage=2, width=8
        )


def _operation(name: str) -> int:
    if name not in OPS:
        raise InputError(f"unknown NAS-Bench-201 operation {name!r}; there are: {', '.join(OPS)}")
    return OPS.index(name)


@cache
def _order() -> tuple[Genes, ...]:
    # The released table numbers the cells in this shuffled order.
    order = list(product(range(len(OPS)), repeat=len(EDGES)))
    Random(88).shuffle(order)
    return tuple(order)


@cache
def _index() -> dict[Genes, int]:
    return {genes: index for index, genes in enumerate(_order())}


@cache
def _canonical_forms() -> dict[Genes, Genes]:
    smallest: dict[str, Genes] = {}
    forms: dict[Genes, Genes] = {}
    for genes in product(range(len(OPS)), repeat=len(EDGES)):
        forms[genes] = smallest.setdefault(expression(genes), genes)
    return forms


def expression(genes: Genes) -> str:
    """Write the output of a cell as an expression of its input `x`.

    Skips vanish, operations on zero (`#`) are zero, terms of a sum are sorted. Equal expressions
    are equal functions; the published rule does not look further (`#+x` is not yet `x`), and
    6,466 distinct cells is the count by this rule.
    Source: the unique string of the released NAS-Bench-201 code, with zeros considered.
    """
    nodes = ["x", "", "", ""]
    for target in (1, 2, 3):
        terms = []
        for gene, (source, end) in zip(genes, EDGES, strict=True):
            if end == target:
                terms.append(_term(gene, nodes[source]))
        nodes[target] = "+".join(sorted(terms))
    return nodes[3]


def _term(gene: int, value: str) -> str:
    if gene == NONE or value == "#":
        return "#"
    return value if gene == SKIP else f"({value})@{OPS[gene]}"


PLUGIN = NasBench201()
