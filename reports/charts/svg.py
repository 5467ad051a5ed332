"""One look for every chart, and figures as SVG text that fits into a page.

A chart's colours are stand-ins while it is drawn; in the SVG they become the page's CSS variables,
so that one drawing serves a light page, a dark one and paper.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04"
INSIDE, OUTSIDE, FRONT, LIMIT = "#0a0b05", "#0a0b06", "#0a0b07", "#0a0b08"
SERIES = ("#0a0b11", "#0a0b12", "#0a0b13", "#0a0b14", "#0a0b15", "#0a0b16")
MARKERS = ("o", "s", "^", "D", "v", "P")
_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    PAPER: "paper",
    INSIDE: "inside",
    OUTSIDE: "outside",
    FRONT: "front",
    LIMIT: "limit",
} | {colour: f"series{number}" for number, colour in enumerate(SERIES, 1)}

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_LOOK = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


@contextmanager
def drawing(width: float, height: float) -> Iterator[Figure]:
    """A figure in nasprof's look; it must be drawn and written inside the block.

    Unit: inches, of which a page shows about 96 pixels.
    """
    with mpl.rc_context(_LOOK):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        yield figure


def to_svg(
    figure: Figure, name: str, description: str, tips: Mapping[str, Sequence[str]] | None = None
) -> str:
    """Write a figure as an `<svg>` element; `name` must be unique in its page.

    `tips` are the texts shown over the points of a scatter, by the `gid` it was drawn with.
    """
    text = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    root = ElementTree.fromstring(text.getvalue())
    _remove_outside(root)
    for gid, lines in (tips or {}).items():
        _add_tips(root, gid, lines)
    _own_ids(root, name)
    _own_style(root)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.attrib |= {"class": "chart", "role": "img", "aria-label": description}
    ElementTree.register_namespace("", _SVG)
    return ElementTree.tostring(root, encoding="unicode")


def _remove_outside(root: ElementTree.Element) -> None:
    """Drop metadata, which names addresses, and style rules, which would hold for all the page."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)


def _add_tips(root: ElementTree.Element, gid: str, lines: Sequence[str]) -> None:
    """Put a text over each point of a scatter; one that was drawn otherwise has no texts."""
    group = next((one for one in root.iter() if one.get("id") == gid), None)
    if group is None:
        return
    # matplotlib refers to one marker by `use`, or draws the paths of a few points one by one.
    hidden = {one for defs in group.iter(f"{{{_SVG}}}defs") for one in defs.iter()}
    for tag in ("use", "path"):
        points = [one for one in group.iter(f"{{{_SVG}}}{tag}") if one not in hidden]
        if len(points) == len(lines):
            break
    else:
        return
    for point, line in zip(points, lines, strict=True):
        ElementTree.SubElement(point, f"{{{_SVG}}}title").text = line


def _own_ids(root: ElementTree.Element, name: str) -> None:
    """Keep only ids that something refers to, and make them the figure's own."""
    used: set[str] = set()
    for one in root.iter():
        link = one.attrib.pop(_XLINK, None)
        if link is not None:
            one.set("href", f"#{name}-{link[1:]}")
            used.add(link[1:])
        for key, value in one.attrib.items():
            if "url(#" in value:
                used.update(re.findall(r"url\(#([^)]+)\)", value))
                one.set(key, value.replace("url(#", f"url(#{name}-"))
    for one in root.iter():
        found = one.attrib.pop("id", None)
        if found in used:
            one.set("id", f"{name}-{found}")


def _own_style(root: ElementTree.Element) -> None:
    for one in root.iter():
        style = one.get("style")
        if style is None:
            continue
        for colour, variable in _VARIABLES.items():
            style = style.replace(colour, f"var(--{variable})")
        one.set("style", re.sub(r"'DejaVu Sans'[^;]*", "var(--sans)", style))


def pixels(figure: Figure) -> Any:
    """What measures text, for `Text.get_window_extent`."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    return canvas.get_renderer()
