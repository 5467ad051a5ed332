"""Do calibrated operator times add up to the latency? python benchmarks/operator_profile.py.

The times are scaled to a latency, so their sum is held against another one that the calibration has
not seen. Fresh processes measure each network without the profiler on two sides, in pairs of random
order, with the profile in the middle: `closure` is the sum, scaled to side a, over side b, by the
ratio of `nasprof compare` with its 95 % interval. There are eight pairs, and more, up to 24, while
the interval is wider than 1 % either way; `others_cores` is the median of what others used.

What the calibration itself does shows before any scaling, against unprofiled inferences of the
profiling worker: `raw` is the sum of what the profiler said over their median, `before` that of the
times with the profiler's cost taken off.

Rows go to benchmarks/results/operator_profile.csv; naming networks replaces their rows only. Run it
on a quiet machine, with --prepare before, which exports and counts. Exit code 1 when a network of
the table is more than 3 % off.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from dataclasses import dataclass, fields, replace
from math import sqrt
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from tabulate import tabulate

from nasprof.exporting import Reference
from nasprof.measuring import Ready, Sizes, prepare, works_for
from nasprof.spaces._genes import sample
from nasprof.spaces._open import open_space
from profiler.bench.attempt import Setting, attempt
from profiler.bench.environment import capture
from profiler.bench.profiling import profile
from profiler.core.comparison import Comparison, compare_pairs, pairs_of
from profiler.core.errors import NasprofError
from profiler.core.outcome import Attempt, Measurement
from profiler.core.target import BenchPlan, Target
from profiler.store.store import Store, open_store

RESULTS = Path(__file__).parent / "results" / "operator_profile.csv"
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
CPU = Target("onnxruntime-cpu")
PLAN = BenchPlan(
    rounds=3, round_s=0.15, min_samples=5, warmup_s=0.1, warmup_max_s=2.0, processes=8, max_s=30.0
)
PAIRS, MOST_PAIRS, SURE_WITHIN = 8, 24, 0.01
# `light:` models come with the onnx package; `random:SPACE:SEED` is a candidate of a space.
NETWORKS = (
    "light:densenet121", "light:inception_v1", "light:inception_v2", "light:resnet50",
    "light:shufflenet", "reference:mobilenet_v2", "reference:resnet50", "reference:vit_tiny",
    "nasbench201:857", "nasbench201:11472", "random:nasbench101:0", "random:fbnet:0",
    "random:ofa-mobilenetv3:0", "random:autobert-zero:0", "random:nasbench-mr:0",
    "random:transnas-macro:0",
)  # fmt: skip
LEAST, MOST, BAR = 50, 1000, 0.03


@dataclass(frozen=True, slots=True)
class Closure:
    """What was found for one network. Unit: as named; ratios are of sums to a median."""

    network: str
    operators: int
    runs: int
    cost_us: float
    slow_down: float
    raw: float
    before: float
    sum_ms: float
    independent_ms: float
    closure: float
    low: float
    high: float
    pairs: int
    others_cores: float | None
    missing_macs: int | None


def measured(ready: Ready, rng: random.Random) -> Closure | None:
    """Profile one network between processes that measure it; None where it is out of range."""
    (work,) = works_for([ready], [CPU], Sizes(), PLAN)
    setting = Setting(PLAN, capture().key, "closure")
    found: dict[str, list[Attempt]] = {"a": [], "b": []}

    def latency(side: str) -> Measurement:
        return Measurement(
            work.model.sha256, work.label, CPU, PLAN, setting.environment_key, setting.session,
            work.inputs, tuple(found[side]),
        )  # fmt: skip

    def take(pairs: int) -> Comparison:
        for _ in range(pairs):
            for side in rng.sample(["a", "b"], 2):
                ended = attempt(work, setting)
                if not isinstance(ended, Attempt):
                    raise SystemExit(f"{work.label}: {ended.kind}: {ended.message}")
                found[side].append(ended)
        return compare_pairs(pairs_of(latency("b"), latency("a")))

    assert ready.cost is not None
    take(PAIRS // 2)
    first = profile(work, latency("a"), ready.cost, None)
    if not LEAST <= len(first.operators) <= MOST:
        return None
    sides = take(PAIRS // 2)
    while sqrt(sides.high / sides.low) > 1 + SURE_WITHIN and len(found["a"]) < MOST_PAIRS:
        sides = take(PAIRS // 2)
    # The profile was scaled to the first half of side a; the rest belongs to it.
    share = sum(operator.time_ns for operator in first.operators) / first.latency_ns
    scaled_to, held_against = latency("a").latency, latency("b").latency
    recorded = sum(operator.recorded_ns for operator in first.operators)
    return Closure(
        network=work.label,
        operators=len(first.operators),
        runs=first.runs,
        cost_us=first.cost_ns / 1e3,
        slow_down=first.slow_down,
        raw=recorded / first.plain_ns,
        before=first.closure,
        sum_ms=share * scaled_to.median_ns / 1e6,
        independent_ms=held_against.median_ns / 1e6,
        closure=share * sides.ratio,
        low=share * sides.low,
        high=share * sides.high,
        pairs=len(found["a"]),
        others_cores=_others(found["a"] + found["b"]),
        missing_macs=first.missing_macs,
    )


def _others(attempts: list[Attempt]) -> float | None:
    loads = [r.external_load for a in attempts for r in a.rounds if r.external_load is not None]
    return median(loads) if loads else None


def _reference(name: str) -> Reference:
    kind, _, rest = name.partition(":")
    if kind == "light":
        return str(LIGHT / f"light_{rest}.onnx")
    if kind == "random":
        space, _, seed = rest.partition(":")
        (genes,) = sample(open_space(space), 1, np.random.default_rng(int(seed)))
        return f"{space}:{open_space(space).describe(genes)}"
    return name


def ready_networks(names: list[str], store: Store) -> list[Ready]:
    """Exported and counted; what cannot be had here is said and left out."""
    found = []
    for name in names:
        try:
            ready = prepare(_reference(name), Sizes(), 0, store, print)
            found.append(replace(ready, label=name))
        except NasprofError as error:
            print(f"{name} is left out: {error}")
    return found


def merge(rows: list[Closure]) -> list[dict[str, str]]:
    """The rows of the file with the new ones in place of older ones of the same networks."""
    table: dict[str, dict[str, str]] = {}
    if RESULTS.exists():
        with RESULTS.open(newline="") as file:
            table = {row["network"]: row for row in csv.DictReader(file)}
    names = [field.name for field in fields(Closure)]
    for row in rows:
        cells = {name: getattr(row, name) for name in names}
        table[row.network] = {
            name: f"{value:.4f}" if isinstance(value, float) else str(value)
            for name, value in cells.items()
        }
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(table.values(), key=lambda row: row["network"]))
    return list(table.values())


def main() -> int:
    """Measure, write, print, and say whether every network closes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--prepare", action="store_true", help="only export and count")
    parser.add_argument("--store", help="a store to keep costs in between two calls")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder, open_store(asked.store or f"{folder}/store.db") as store:
        store.put_environment(capture())
        networks = ready_networks(asked.networks, store)
        if asked.prepare:
            return 0
        table, rows, rng = merge([]), [], random.Random(0)
        for ready in networks:
            row = measured(ready, rng)
            print(ready.label, "out of range" if row is None else f"{row.closure:.4f}", flush=True)
            rows += [row] if row else []
            table = merge(rows)
    if not table:
        return 1
    print(tabulate([list(row.values()) for row in table], list(table[0]), disable_numparse=True))
    off = [abs(float(row["closure"]) - 1) for row in table]
    print(f"{len(off)} networks, worst {max(off):.2%}, median {median(off):.2%}; bar {BAR:.0%}")
    return 0 if max(off) <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
