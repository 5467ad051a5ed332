"""How fast candidates are drawn, reduced and costed; run: python benchmarks/spaces.py.

Figures of one run on this machine; nothing here is a test.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from nasprof.spaces._cost import count_network
from nasprof.spaces._genes import canonical_forms, one_hot, sample
from nasprof.spaces._space import Space
from nasprof.spaces.nasbench201 import PLUGIN as NASBENCH201
from profiler.core.plugins import load, names

NETWORKS = 1000


def seconds(job: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter_ns()
    job()
    return (time.perf_counter_ns() - start) / 1e9


def drawn_and_reduced(space: Space, count: int) -> float:
    """Candidates a second through sampling and canonical form."""
    canonical_forms(space, sample(space, 64, np.random.default_rng(1)))

    def job() -> None:
        canonical_forms(space, sample(space, count, np.random.default_rng(0)))

    return count / seconds(job)


def encoded(space: Space, count: int) -> float:
    """Candidates a second through one-hot encoding."""
    candidates = sample(space, count, np.random.default_rng(0))
    return count / seconds(lambda: one_hot(space, candidates))


def main() -> None:
    """Print the figures."""
    print(f"{'space':<22}{'drawn + reduced/s':>20}{'one-hot/s':>14}")
    for name in names("nasprof.spaces"):
        space: Space = load("nasprof.spaces", name)
        count = 1000 if len(space.sizes) > 100 else 20_000
        rates = drawn_and_reduced(space, count), encoded(space, count)
        print(f"{name:<22}{rates[0]:>20,.0f}{rates[1]:>14,.0f}")
    count_network(lambda: NASBENCH201.build(NASBENCH201.at(0)), (3, 32, 32))

    def count_all() -> None:
        for index in range(NETWORKS):
            genes = NASBENCH201.at(index)
            count_network(lambda genes=genes: NASBENCH201.build(genes), (3, 32, 32))

    total = seconds(count_all)
    print(f"{NETWORKS} NAS-Bench-201 networks built and counted on the meta device: {total:.1f} s")


if __name__ == "__main__":
    main()
