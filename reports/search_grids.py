"""Tables of one search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from profiler.core.choice import traded_keys
from reports.grids import Cell, Grid
from reports.quantities import quantity, shown
from reports.search_view import FrontPoint, SearchView

_NOTES = {"macs": "counted from the graph", "params": "counted from the graph"}


def _head(key: str) -> str:
    return {"macs": "MACs", "params": "Parameters"}.get(key, shown(key, 60))


def _note(view: SearchView, key: str) -> str:
    recorded = {limit.key for limit in view.record.constraints if limit.recorded}
    recorded |= {objective.key for objective in view.record.objectives if objective.recorded}
    if key in recorded or any(front.looked_up for front in view.front):
        return "looked up in a published table, not measured on this machine"
    return _NOTES.get(key, "measured again after the search")


def front_grid(view: SearchView, labels: Mapping[str, str]) -> Grid:
    """The Pareto set, best accuracy first."""
    limits = view.record.constraints
    keys = [*traded_keys(limits, view.record.objectives), *(limit.key for limit in limits)]
    keys = list(dict.fromkeys([*keys, "macs", "params"]))
    heads = (
        ("Trial", "number of the candidate in the search"),
        ("Network", "as nasprof export takes it"),
        ("Accuracy", f"as {shown(view.record.accuracy, 60)} found it"),
        *((_head(key), _note(view, key)) for key in keys),
    )
    lines = tuple(_front_cells(front, keys, labels) for front in view.front)
    return Grid(heads, lines)


def _front_cells(
    front: FrontPoint, keys: Sequence[str], labels: Mapping[str, str]
) -> tuple[Cell, ...]:
    point = front.point
    cells = []
    for key in keys:
        value, first = front.metrics.get(key), point.metrics.get(key)
        note = "" if value == first else f"in the search: {quantity(key, first)}"
        cells.append(Cell(quantity(key, value), number=True, note=note))
    name = labels.get(point.model_sha256 or "", point.key)
    return (
        Cell(f"#{point.number}"),
        Cell(shown(name), note=shown(point.key)),
        Cell(quantity("accuracy", front.accuracy), number=True),
        *cells,
    )


def trial_grid(view: SearchView) -> Grid:
    """Every trial of a search, in order."""
    heads = (
        ("Trial", ""), ("Network", "space and genes"), ("Standing", "against the limits"),
        ("Accuracy", "not evaluated outside the limits"), (shown(view.axis, 60), ""), ("Error", ""),
    )  # fmt: skip
    lines = tuple(
        (
            Cell(f"#{point.number}"),
            Cell(shown(point.key, 80)),
            Cell(point.standing.value),
            Cell("–" if point.accuracy is None else quantity("accuracy", point.accuracy), True),
            Cell(quantity(view.axis, point.metrics.get(view.axis)), number=True),
            Cell(shown(point.error or "", 160)),
        )
        for point in view.points
    )
    return Grid(heads, lines)
