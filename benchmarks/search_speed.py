"""How long a table-backed search takes, and the scoring of a million encoded candidates."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter_ns

import numpy as np
from search_limited import QUERIES, SIGNAL, run
from search_methods import OURS, cells_with_path
from search_queries import column
from tabulate import tabulate

from nasprof.predict.gp import GaussianProcess
from nasprof.search.features import features
from nasprof.spaces.nasbench201 import PLUGIN as NASBENCH201

_MILLION = 1_000_000
_CHUNK = 100_000


def report(data: Path) -> None:
    """Print seconds of wall time on one thread."""
    column(data, SIGNAL)
    start = perf_counter_ns()
    run(data, "pixel3", 25, OURS, 0)
    search_s = (perf_counter_ns() - start) / 1e9
    rows = [
        ["search, 100 queries and 20 measurements, tables read and cells encoded", search_s, 10],
        ["scoring of 1,000,000 encoded candidates", _scoring_s(data), 5],
    ]
    print(tabulate(rows, ["speed", "seconds", "at most"], floatfmt=".2f"), flush=True)


def _scoring_s(data: Path) -> float:
    """A Gaussian process of 100 cells, its means and intervals for a million."""
    rng = np.random.default_rng(0)
    cells = cells_with_path().members()
    x = features(NASBENCH201, cells)
    scores = column(data, SIGNAL)[[NASBENCH201.index_of(genes) for genes in cells]]
    known = rng.permutation(len(x))[:QUERIES]
    fitted = GaussianProcess().fit(x[known], scores[known], 0)
    spent = 0
    for _ in range(_MILLION // _CHUNK):
        drawn = x[rng.integers(len(x), size=_CHUNK)]
        start = perf_counter_ns()
        fitted.predict(drawn)
        spent += perf_counter_ns() - start
    return spent / 1e9
