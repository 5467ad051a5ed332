"""Names beside points, where there is room for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.transforms import Bbox

from reports.charts.svg import INK, pixels

_CLEAR_PX = 4.0
# Where a label may stand, best first: offset in points and the alignment that goes with it.
_PLACES = (
    (7, 6, "left", "bottom"),
    (-7, 6, "right", "bottom"),
    (7, -6, "left", "top"),
    (-7, -6, "right", "top"),
    (0, 9, "center", "bottom"),
    (0, -9, "center", "top"),
    (14, 14, "left", "bottom"),
    (14, -14, "left", "top"),
    (-14, 14, "right", "bottom"),
    (-14, -14, "right", "top"),
)


def label_points(
    axes: Any,
    items: Sequence[tuple[float, float, str]],
    obstacles: Sequence[tuple[float, float]] = (),
) -> int:
    """Write each text beside its point unless it would cover another; returns how many are there.

    Call it when limits and scales are final. Earlier items have the first choice.
    """
    spots = [*obstacles, *((x, y) for x, y, _ in items)]
    points = [axes.transData.transform(spot) for spot in spots]
    taken = [_around(x, y) for x, y in points]
    inside = axes.get_window_extent(pixels(axes.figure))
    placed = 0
    for x, y, text in items:
        note = _try_places(axes, x, y, text, taken, inside)
        if note is not None:
            taken.append(note)
            placed += 1
    return placed


def _try_places(
    axes: Any, x: float, y: float, text: str, taken: Sequence[Bbox], inside: Bbox
) -> Bbox | None:
    for dx, dy, horizontal, vertical in _PLACES:
        note = axes.annotate(
            text,
            (x, y),
            xytext=(dx, dy),
            textcoords="offset points",
            ha=horizontal,
            va=vertical,
            fontsize=8.5,
            color=INK,
            zorder=9,
        )
        box: Bbox = note.get_window_extent(pixels(axes.figure))
        fits = inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0
        if fits and box.y1 <= inside.y1 and not any(box.overlaps(other) for other in taken):
            return box
        note.remove()
    return None


def _around(x: float, y: float) -> Bbox:
    return Bbox.from_extents(x - _CLEAR_PX, y - _CLEAR_PX, x + _CLEAR_PX, y + _CLEAR_PX)
