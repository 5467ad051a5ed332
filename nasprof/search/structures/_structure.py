"""What a structure is, and looking one up."""

from __future__ import annotations

from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from profiler.core.plugins import load, names

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


class Structure(Protocol):
    """Figures of the graph that genes stand for, read off without building a network.

    Shapes: rows of genes [n, genes].
    """

    def walks(self, rows: Rows) -> list[Array]:
        """What happens on the ways from input to output, for accuracy: each kind [n, a]."""
        ...

    def live_counts(self, rows: Rows) -> Array:
        """How often each operation is left once dead ones are dropped, for costs: [n, b]."""
        ...


@cache
def structure_of(space_name: str) -> Structure | None:
    """The structure of a space, or None where there is none: the genes then have to do."""
    package = "nasprof.search.structures"
    if space_name not in names(package):
        return None
    found: Structure = load(package, space_name)
    return found
