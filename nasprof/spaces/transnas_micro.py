"""TransNAS-Bench-101, micro: 4,096 cells in a fixed skeleton."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from nasprof.spaces._picture import Picture, cell_picture
from nasprof.spaces._space import Choice, Genes
from nasprof.spaces._transnas import EDGES, OPS, Plan, build
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

SKELETON = (4, 1, 4, 1, 4)
BASE = 64
Terms = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class TransNasMicro:
    """The cell space; genes are the operations of the six edges.

    Source: Duan et al., "TransNAS-Bench-101", CVPR 2021, section 3.1.
    """

    name: str = "transnas-micro"
    title: str = "TransNAS-Bench-101 micro: one cell, 6 edges, 4 operations, 7 tasks, 1,229 differ"
    task: str = "classification"
    input_shape: tuple[int, ...] = (3, 224, 224)
    input_dtype: str = "float32"
    input_high: int | None = None
    gene_names: tuple[str, ...] = tuple(f"{source}>{target}" for source, target in EDGES)
    choices: tuple[tuple[Choice, ...], ...] = (OPS,) * 6
    sizes: tuple[int, ...] = (len(OPS),) * 6

    def valid(self, genes: Genes) -> bool:
        """Every combination is an architecture."""
        return len(genes) == len(EDGES)

    def canonical(self, genes: Genes) -> Genes:
        """The smallest genes whose cell is the same sum of operations on its input."""
        return _canonical_forms()[genes]

    def members(self) -> Sequence[Genes]:
        """All cells in order."""
        return tuple(_canonical_forms())

    def describe(self, genes: Genes) -> str:
        """Write `64-41414-a_bc_def`."""
        a, b, c, *rest = (str(gene) for gene in genes)
        return f"{BASE}-{''.join(map(str, SKELETON))}-{a}_{b}{c}_{''.join(rest)}"

    def parse(self, text: str) -> Genes:
        """Read `64-41414-a_bc_def` or the cell `a_bc_def` alone.

        Raises: InputError for anything else.
        """
        skeleton, _, cell = text.strip().rpartition("-")
        digits = cell.replace("_", "")
        shape = [len(part) for part in cell.split("_")]
        if skeleton not in ("", "64-41414") or shape != [1, 2, 3] or not set(digits) <= set("0123"):
            raise InputError(
                f"{text!r} is no TransNAS-Bench-101 cell; give '64-41414-a_bc_def' with digits "
                f"0..3, which stand for {', '.join(OPS)}"
            )
        return tuple(int(digit) for digit in digits)

    def picture(self, genes: Genes) -> Picture:
        """The cell as a graph."""
        return cell_picture(EDGES, [OPS[gene] for gene in genes])

    def build(
        self,
        genes: Genes,
        *,
        classes: int | None = None,
        task: str = "class_object",
        channels_in: int = 3,
        base: int = BASE,
    ) -> nn.Module:
        """Make the network of a task; `classes` overrides the task's number of outputs.

        Shapes: images [N, channels_in, H, W]; `jigsaw` takes tiles [N, 9, channels_in, H, W].
        Raises: InputError when there is no such task.
        """
        return build(Plan(base, SKELETON, genes), task, classes, channels_in)

    def small(self, genes: Genes, *, classes: int, channels: int) -> nn.Module:
        """Make the network with an eighth of the channels."""
        return self.build(genes, classes=classes, channels_in=channels, base=8)


@cache
def _canonical_forms() -> dict[Genes, Genes]:
    smallest: dict[Terms, Genes] = {}
    return {
        genes: smallest.setdefault(output_terms(genes), genes)
        for genes in product(range(len(OPS)), repeat=len(EDGES))
    }


def output_terms(genes: Genes) -> Terms:
    """The output of a cell as sorted terms of a sum, each a nest of operations on the input.

    A skip from the input is an operation, because it is one where the shape changes; other skips
    vanish and their sums join. Operations on nothing are nothing.
    """
    nodes: list[Terms] = [("x",), (), (), ()]
    for target in (1, 2, 3):
        terms: list[object] = []
        for gene, (source, end) in zip(genes, EDGES, strict=True):
            if end != target or OPS[gene] == "none" or not nodes[source]:
                continue
            if OPS[gene] == "skip" and source:
                terms += nodes[source]
            else:
                terms.append((gene, nodes[source]))
        nodes[target] = tuple(sorted(terms, key=repr))
    return nodes[3]


PLUGIN = TransNasMicro()
