"""NAS-Bench-101: cells of at most seven vertices and nine edges, 423,624 different ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasprof.spaces._dag import INTERIOR, PAIRS, VERTICES, Dag, Rows, canonical_rows, live
from nasprof.spaces._picture import Edge, Picture
from nasprof.spaces._space import Choice, Genes
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
SHORT = {"3x3": OPS[0], "1x1": OPS[1], "pool": OPS[2]}
MOST_EDGES = 9


@dataclass(frozen=True, slots=True)
class NasBench101:
    """The graph space; genes are the 21 possible edges, then the five interior operations.

    Source: Ying et al., "NAS-Bench-101", ICML 2019, section 2.
    """

    name: str = "nasbench101"
    title: str = "NAS-Bench-101: cells of up to 7 vertices and 9 edges, 423,624 differ"
    task: str = "classification"
    input_shape: tuple[int, ...] = (3, 32, 32)
    input_dtype: str = "float32"
    input_high: int | None = None
    gene_names: tuple[str, ...] = (
        *(f"{source}>{target}" for source, target in PAIRS),
        *(f"op{vertex}" for vertex in range(1, INTERIOR + 1)),
    )
    choices: tuple[tuple[Choice, ...], ...] = ((0, 1),) * len(PAIRS) + (OPS,) * INTERIOR
    sizes: tuple[int, ...] = (2,) * len(PAIRS) + (3,) * INTERIOR

    def valid(self, genes: Genes) -> bool:
        """Tell whether input and output are joined by at most nine live edges."""
        return bool(self.valid_rows(np.asarray([genes]))[0])

    def valid_rows(self, rows: Rows) -> NDArray[np.bool_]:
        """The same for many candidates at once."""
        edges, vertices = live(rows)
        return np.asarray(vertices[:, 0] & (edges.sum(axis=1) <= MOST_EDGES))

    def canonical(self, genes: Genes) -> Genes:
        """The form that all isomorphic cells share, dead vertices and edges removed."""
        return tuple(self.canonical_rows(np.asarray([genes]))[0].tolist())

    def canonical_rows(self, rows: Rows) -> Rows:
        """The same for many candidates at once."""
        return canonical_rows(rows)

    def dag(self, genes: Genes) -> Dag:
        """The cell without dead parts, vertices in their order."""
        edges, vertices = live(np.asarray([genes]))
        kept = [vertex for vertex in range(VERTICES) if vertices[0, vertex]]
        place = {vertex: number for number, vertex in enumerate(kept)}
        ops = tuple(OPS[genes[len(PAIRS) + vertex - 1]] for vertex in kept[1:-1])
        found = [(place[s], place[t]) for (s, t), on in zip(PAIRS, edges[0], strict=True) if on]
        return Dag(tuple(found), ops)

    def module_hash(self, genes: Genes) -> str:
        """The key of a cell in the released table, equal for isomorphic cells.

        Source: `hash_module` of the released code.
        """
        dag = self.dag(genes)
        labels = [-1, *(OPS.index(op) for op in dag.ops), -2]
        into = [[s for s, t in dag.edges if t == vertex] for vertex in range(len(labels))]
        onto = [[t for s, t in dag.edges if s == vertex] for vertex in range(len(labels))]
        marks = [
            _md5(str((len(onto[vertex]), len(into[vertex]), label)))
            for vertex, label in enumerate(labels)
        ]
        for _ in labels:
            marks = [
                _md5(
                    "".join(sorted(marks[other] for other in into[vertex]))
                    + "|"
                    + "".join(sorted(marks[other] for other in onto[vertex]))
                    + "|"
                    + mark
                )
                for vertex, mark in enumerate(marks)
            ]
        return _md5(str(sorted(marks)))

    def describe(self, genes: Genes) -> str:
        """Write the seven rows of the adjacency matrix, then the five operations."""
        on = {pair for pair, gene in zip(PAIRS, genes, strict=False) if gene}
        rows = ("".join(str(int((r, c) in on)) for c in range(VERTICES)) for r in range(VERTICES))
        short = list(SHORT)
        return "-".join(rows) + ":" + ",".join(short[gene] for gene in genes[len(PAIRS) :])

    def parse(self, text: str) -> Genes:
        """Read rows of bits joined by `-` and, after a colon, the interior operations.

        Fewer than seven vertices are allowed; operations may have their published names, and
        `input` and `output` may be there.
        Raises: InputError for anything else, and for a cell outside the space.
        """
        matrix, _, listed = text.strip().partition(":")
        rows = matrix.split("-")
        ops = [SHORT.get(op, op) for op in listed.split(",") if op not in ("", "input", "output")]
        if not _well_formed(rows, ops):
            raise InputError(
                f"{text!r} is no NAS-Bench-101 cell; give rows of the upper triangular matrix and "
                "the operations, such as '0111-0001-0001-0000:3x3,pool' (3x3, 1x1 or pool)"
            )
        return self.from_matrix([[int(bit) for bit in row] for row in rows], ops)

    def from_matrix(self, matrix: list[list[int]], ops: list[str]) -> Genes:
        """The genes of an adjacency matrix and the names of its interior operations.

        Raises: InputError when the cell is outside the space.
        """
        # With fewer vertices the output still goes to the last place.
        place = [*range(len(matrix) - 1), VERTICES - 1]
        count = range(len(matrix))
        edges = {(place[s], place[t]) for s in count for t in count if matrix[s][t]}
        codes = [OPS.index(op) for op in ops] + [0] * (INTERIOR - len(ops))
        genes = (*(int(pair in edges) for pair in PAIRS), *codes)
        if not self.valid(genes):
            raise InputError(
                f"{self.describe(genes)} is not in NAS-Bench-101: input and output must be joined, "
                f"by at most {MOST_EDGES} edges that are on a path between them"
            )
        return genes

    def picture(self, genes: Genes) -> Picture:
        """The cell as a graph, dead parts left out."""
        dag = self.dag(genes)
        short = {name: text for text, name in SHORT.items()}
        nodes = ("input", *(short[op] for op in dag.ops), "output")
        return Picture(nodes, tuple(Edge(source, target) for source, target in dag.edges))

    def build(
        self,
        genes: Genes,
        *,
        classes: int = 10,
        channels_in: int = 3,
        cells_per_stack: int = 3,
        width: int = 128,
    ) -> nn.Module:
        """Make the published network, or a smaller one with the same cell.

        Shapes: images [N, channels_in, H, W] to scores [N, classes].
        """
        from nasprof.spaces._networks.nasbench101 import Network

        return Network(self.dag(genes), classes, channels_in, cells_per_stack, width)

    def small(self, genes: Genes, *, classes: int, channels: int) -> nn.Module:
        """Make the network with one cell a stack and an eighth of the channels."""
        return self.build(genes, classes=classes, channels_in=channels, cells_per_stack=1, width=16)


def _md5(text: str) -> str:
    # The released table is keyed by MD5; nothing is protected by it.
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _well_formed(rows: list[str], ops: list[str]) -> bool:
    count = len(rows)
    return (
        2 <= count <= VERTICES
        and len(ops) == count - 2
        and set(ops) <= set(OPS)
        and all(len(row) == count and set(row) <= set("01") for row in rows)
        and all("1" not in row[: place + 1] for place, row in enumerate(rows))
    )


PLUGIN = NasBench101()
