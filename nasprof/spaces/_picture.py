"""A candidate as a picture: text for a terminal, SVG for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from xml.sax.saxutils import escape

from nasprof.spaces._space import Genes, Space

_STEP, _BOX, _ARC, _FONT = 190, 34, 46, 13


@dataclass(frozen=True, slots=True)
class Edge:
    """A connection between two nodes; `dead` ones do not reach the output."""

    source: int
    target: int
    label: str = ""
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Nodes in order, the first one the input, with their connections."""

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]

    def text(self) -> str:
        """One line a node: what it is and what comes in; layers in a row need no arrows."""
        if _is_chain(self):
            return "\n".join(f"{place:>3} {node}" for place, node in enumerate(self.nodes))
        width = max(map(len, self.nodes))
        lines = []
        for place, node in enumerate(self.nodes):
            incoming = [_incoming(edge) for edge in self.edges if edge.target == place]
            arrow = f"  <-  {' + '.join(incoming)}" if incoming else ""
            lines.append(f"{place:>3} {node:<{width}}{arrow}".rstrip())
        return "\n".join(lines)

    def svg(self) -> str:
        """A drawing that needs nothing else: nodes in a row with arcs, or one below the other."""
        return _column(self) if _is_chain(self) else _row(self)


@runtime_checkable
class Graphed(Protocol):
    """A space whose architectures are small graphs, or rows of layers."""

    def picture(self, genes: Genes) -> Picture:
        """The graph of an architecture."""


def picture(space: Space, genes: Genes) -> Picture:
    """The picture of a candidate; a space without one shows its genes one below the other."""
    if isinstance(space, Graphed):
        return space.picture(genes)
    values = [options[gene] for options, gene in zip(space.choices, genes, strict=True)]
    return chain([f"{n} = {v}" for n, v in zip(space.gene_names, values, strict=True)])


def chain(nodes: Sequence[str]) -> Picture:
    """Layers that follow one another."""
    return Picture(tuple(nodes), tuple(Edge(i, i + 1) for i in range(len(nodes) - 1)))


def cell_picture(edges: Sequence[tuple[int, int]], ops: Sequence[str]) -> Picture:
    """A cell whose edges are operations and whose nodes are sums; `none` edges are left out."""
    count = max(target for _, target in edges) + 1
    there = [(s, t, op) for (s, t), op in zip(edges, ops, strict=True) if op != "none"]
    reached, reaching = {0}, {count - 1}
    for source, target, _ in there:
        reached |= {target} if source in reached else set()
    for source, target, _ in reversed(there):
        reaching |= {source} if target in reaching else set()
    live = reached & reaching
    middle = [f"node {place}" for place in range(1, count - 1)]
    return Picture(
        ("input", *middle, "output"),
        tuple(Edge(s, t, op, dead=not {s, t} <= live) for s, t, op in there),
    )


def _incoming(edge: Edge) -> str:
    text = f"{edge.label}({edge.source})" if edge.label else str(edge.source)
    return f"[{text}]" if edge.dead else text


def _is_chain(drawn: Picture) -> bool:
    return all(edge.target == edge.source + 1 and not edge.label for edge in drawn.edges)


def _row(drawn: Picture) -> str:
    spans = [edge.target - edge.source for edge in drawn.edges]
    up = _ARC * max([s for s in spans if s % 2 == 0] or [1]) // 2 + 40
    down = _ARC * max([s for s in spans if s % 2 and s > 1] or [0]) // 2 + 40
    width, height = _STEP * len(drawn.nodes), up + down + _BOX
    middle = up + _BOX // 2
    parts = [_edge(edge, middle) for edge in drawn.edges]
    for place, node in enumerate(drawn.nodes):
        parts.append(_box(place * _STEP + _STEP // 2, middle, node))
    return _document(width, height, parts)


def _edge(edge: Edge, middle: int) -> str:
    """An arrow: straight to the next node, above for an even distance, below for an odd one."""
    span = edge.target - edge.source
    start, end = (place * _STEP + _STEP // 2 for place in (edge.source, edge.target))
    side = 0 if span == 1 else -1 if span % 2 == 0 else 1
    if side == 0:
        path = f"M{start + 42},{middle} L{end - 50},{middle}"
        label = middle - 8
    else:
        # A quadratic curve reaches half of the height of its control point.
        height = middle + side * (_ARC * span + _BOX // 2)
        edge_y = middle + side * _BOX // 2
        path = (
            f"M{start + 12},{edge_y} Q{(start + end) // 2},{height} {end - 12},{edge_y + side * 6}"
        )
        label = (height + edge_y) // 2 + (-6 if side < 0 else 16)
    kind = "dead" if edge.dead else "live"
    text = f'<text class="{kind}" x="{(start + end) // 2}" y="{label}">{escape(edge.label)}</text>'
    return f'<path class="{kind}" d="{path}" marker-end="url(#tip)"/>{text if edge.label else ""}'


def _column(drawn: Picture) -> str:
    longest = max(map(len, drawn.nodes))
    width = max(220, longest * 8 + 40)
    step = _BOX + 22
    parts = []
    for place, node in enumerate(drawn.nodes):
        y = place * step + _BOX // 2 + 6
        if place:
            top = y - step + _BOX // 2
            parts.append(
                f'<path class="live" d="M{width // 2},{top} L{width // 2},{top + 14}" '
                'marker-end="url(#tip)"/>'
            )
        parts.append(_box(width // 2, y, node, width - 20))
    return _document(width, len(drawn.nodes) * step, parts)


def _box(x: int, y: int, label: str, width: int = 84) -> str:
    width = max(width, len(label) * 8 + 16)
    return (
        f'<rect x="{x - width // 2}" y="{y - _BOX // 2}" width="{width}" height="{_BOX}" rx="6"/>'
        f'<text x="{x}" y="{y + 5}">{escape(label)}</text>'
    )


def _document(width: int, height: int, parts: Sequence[str]) -> str:
    style = (
        f"text{{font:{_FONT}px system-ui,sans-serif;text-anchor:middle;fill:#1b1f24}}"
        "rect{fill:#eef3fb;stroke:#3b6fb6;stroke-width:1.5}"
        "path{fill:none;stroke:#3b6fb6;stroke-width:1.5}"
        "path.dead{stroke:#b6bcc4;stroke-dasharray:4 4}text.dead{fill:#8a929c}"
    )
    tip = (
        '<marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0,0 L10,5 L0,10 z" style="fill:#3b6fb6;stroke:none"/></marker>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><style>{style}</style><defs>{tip}</defs>'
        f'<rect x="0" y="0" width="{width}" height="{height}" style="fill:#ffffff;stroke:none"/>'
        f"{''.join(parts)}</svg>\n"
    )
