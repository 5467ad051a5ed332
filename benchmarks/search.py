"""Every strategy on published tables: python benchmarks/search.py --part all --seeds 100.

`queries`: queries to the best cell of NAS-Bench-201 on a clean signal (CIFAR-10, mean over runs)
and a noisy one (ImageNet16-120, one run), in the space as numbered (15,625 cells) and with equal
cells taken as one (6,466). `limited`: accuracy inside latency limits on 21 targets; see
search_limited.py. `speed`: seconds of a search, and of scoring a million candidates. Finished runs
are kept in results/*.runs.csv: a benchmark that was killed goes on, and two processes may share the
work with different `--only`. Delete these files after a change of a strategy. Summaries and
pictures lie beside them.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import search_limited
import search_picture
import search_queries
import search_speed
from search_methods import DATA, METHODS

from nasprof.predict._threads import one_thread


def main() -> None:
    """Make the runs that are missing, then print and draw what all of them amount to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", choices=["queries", "limited", "speed", "all"], default="all")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--slow-seeds", type=int, default=10)
    parser.add_argument("--only", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--targets", nargs="*", default=None)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    with one_thread():
        if options.part in ("queries", "all"):
            runs = search_queries.wanted(options.only, options.seeds, options.slow_seeds)
            search_queries.RUNS.do(runs, partial(search_queries.run, options.data))
            search_queries.report()
        if options.part in ("limited", "all"):
            cells = search_limited.wanted(
                options.data, options.only, options.seeds, options.targets
            )
            search_limited.RUNS.do(cells, partial(search_limited.run, options.data))
            search_limited.report()
        if options.part in ("speed", "all"):
            search_speed.report(options.data)
    search_picture.draw()


if __name__ == "__main__":
    main()
