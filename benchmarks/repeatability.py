"""Do two invocations put 30 networks into the same order?

    python benchmarks/repeatability.py quiet|loaded [--engine NAME] [--seconds 280]
    python benchmarks/repeatability.py show

Networks are drawn from all of NAS-Bench-201 by a fixed seed. An invocation measures all of them, in
an order of its own, with fresh processes; Kendall's tau-b compares the orders of two invocations.

- nasprof: `measure_models` with a store of its own: passes of processes over all networks, three to
  six of each, in the rounds of the quick plan.
- mean of 50: a process a network, 10 runs to warm up, then the mean of 50.
- optimum: a process a network, 10 runs to warm up, then runs until there are 10 and 10 s have
  passed, and their mean: the rule of optimum-benchmark. Its parent keeps a core busy meanwhile;
  ours sleeps, which is to its advantage.

`loaded` measures beside two processes that never rest; `quiet` waits a while for a machine that
nobody else uses. A run that was stopped goes on. `show` writes results/repeatability.csv from the
pairs that are complete; exit code 1 when one misses its bar: nasprof at least 0.95 quiet, and ahead
of both others loaded.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np
from search_results import RESULTS, Row, Runs, write_table
from tabulate import tabulate

from nasprof.measuring import Ready, Sizes, measure_models, open_reference, works_for
from profiler.bench.preflight import load_now
from profiler.core.outcome import Measurement
from profiler.core.target import BenchPlan, Target
from profiler.store.store import open_store

CPU = Target("onnxruntime-cpu")
PLAN = replace(BenchPlan.quick(), max_processes=6, warmup_max_s=0.5)
SIZE, COUNT, SEED, PAIRS = 15_625, 30, 201, 5
WARM_UP = 10
RULES = {"mean of 50": (50, 0.0), "optimum": (10, 10.0)}
"""Least runs and least seconds of the means."""
PARTS = {"nasprof": 1, "mean of 50": 1, "optimum": 3}
"""Pieces that an invocation is made in, each of every so-manieth network."""
ENGINES = ("nasprof", *RULES)
CONDITIONS = ("quiet", "loaded")
BAR, QUIET_CORES, PATIENCE_S = 0.95, 0.25, 20.0
BUSY = "while True: pass"
RUNS = Runs(
    RESULTS / "repeatability_invocations.csv",
    ("condition", "engine", "pair", "invocation", "part"),
    ("seconds", "others_cores", "latencies_ns"),
)
HEAD = (
    "condition",
    "engine",
    "pairs",
    "networks",
    "tau",
    "taus",
    "differ",
    "others",
    "seconds",
    "met",
)


def networks() -> list[int]:
    """Indices of the drawn networks."""
    drawn = np.random.default_rng(SEED).choice(SIZE, COUNT, replace=False)
    return [int(index) for index in drawn]


def main() -> int:
    """Measure what is missing, or show what was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("what", choices=[*CONDITIONS, "prepare", "show"])
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    asked = parser.parse_args()
    if asked.what == "show":
        return show()
    if asked.what == "prepare":
        works_for(_ready(networks()), [CPU], Sizes(), PLAN)
        return 0
    end = time.monotonic() + asked.seconds
    engines = asked.engine or ENGINES
    RUNS.do(_until(asked.what, engines, asked.pairs, end), invocation)
    return 0


def _until(
    condition: str, engines: Sequence[str], pairs: int, end: float
) -> Iterator[tuple[str, str, int, int, int]]:
    """Invocations to make; one is begun only where it should end in time."""
    done = {tuple(row[key] for key in RUNS.keys) for row in RUNS.rows()}
    for pair in range(pairs):
        for number, engine in product(range(2), engines):
            for part in range(PARTS[engine]):
                key = (condition, engine, pair, number, part)
                if tuple(map(str, key)) in done:
                    continue
                took = [float(row["seconds"]) for row in RUNS.rows() if row["engine"] == engine]
                if time.monotonic() + max(took, default=0.0) >= end:
                    return
                if condition == "quiet":
                    _wait_for_quiet()
                yield key


def _wait_for_quiet() -> None:
    """Wait for others, but not for ever: what they used is in every row, and no bar is met then."""
    end = time.monotonic() + PATIENCE_S
    while (load_now() or 0.0) > QUIET_CORES and time.monotonic() < end:
        pass


def invocation(condition: str, engine: str, pair: int, number: int, part: int) -> Sequence[object]:
    """Networks once, by one engine; what others used is the mean over nasprof's rounds."""
    some = networks()[part :: PARTS[engine]]
    order = np.random.default_rng([SEED, pair, number]).permutation(some).tolist()
    ready = _ready(order)
    with _load(2 if condition == "loaded" else 0):
        start = time.monotonic()
        if engine == "nasprof":
            found, others = _ours(ready)
        else:
            found, others = _means(ready, *RULES[engine]), ""
        seconds = f"{time.monotonic() - start:.0f}"
    print(f"{condition}, {engine}, pair {pair}, {number}, {part}: {seconds} s", flush=True)
    return seconds, others, " ".join(f"{i}:{found[f'nasbench201:{i}']:.0f}" for i in some)


def _ready(indices: Sequence[int]) -> list[Ready]:
    names = [f"nasbench201:{index}" for index in indices]
    return [Ready(open_reference(name, Sizes())[0], name, None) for name in names]


def _ours(ready: list[Ready]) -> tuple[dict[str, float], str]:
    with TemporaryDirectory() as folder, open_store(f"{folder}/store.db") as store:
        outcomes = measure_models(ready, [CPU], Sizes(), PLAN, store, lambda *_: None)
    found, loads = {}, []
    for one in outcomes:
        if not isinstance(one, Measurement):
            raise SystemExit(f"no measurement of {one.label}: {one.kind}: {one.message}")
        found[one.label] = one.latency.median_ns
        loads += [r.external_load or 0.0 for a in one.attempts for r in a.rounds]
    return found, f"{fmean(loads):.2f}"


@contextmanager
def _load(processes: int) -> Iterator[None]:
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


LOOP = """
import json, sys, time
import numpy as np
import onnxruntime as ort
path, warm_up, runs, seconds = json.loads(sys.argv[1])
options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
feeds = {one.name: np.random.default_rng(0).standard_normal(one.shape).astype(np.float32)
         for one in session.get_inputs()}
for _ in range(warm_up):
    session.run(None, feeds)
times, began = [], time.perf_counter()
while len(times) < runs or time.perf_counter() - began < seconds:
    start = time.perf_counter_ns()
    session.run(None, feeds)
    times.append(time.perf_counter_ns() - start)
print(sum(times) / len(times))
"""


def _means(ready: list[Ready], runs: int, seconds: float) -> dict[str, float]:
    found = {}
    for one in ready:
        asked = json.dumps([str(one.model.path), WARM_UP, runs, seconds])
        command = [sys.executable, "-c", LOOP, asked]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[one.label] = float(done.stdout)
    return found


def show() -> int:
    """Print and keep what complete pairs say; 1 when a bar is missed."""
    rows = RUNS.rows()
    taus = {(c, e): _taus(rows, c, e) for c in CONDITIONS for e in ENGINES}
    quiet = (_others(rows, "quiet", "nasprof") or 0.0) <= QUIET_CORES
    table = [
        _line(rows, condition, engine, found, _met(taus, condition, engine, quiet))
        for (condition, engine), found in taus.items()
        if found
    ]
    write_table(RESULTS / "repeatability.csv", HEAD, table)
    print(tabulate(table, HEAD, disable_numparse=True))
    return int(any(line[-1] == "NO" for line in table))


def _taus(rows: Sequence[Row], condition: str, engine: str) -> list[float]:
    from scipy.stats import kendalltau

    return [float(kendalltau(a, b).statistic) for a, b in _pairs(rows, condition, engine)]


def _pairs(rows: Sequence[Row], condition: str, engine: str) -> list[tuple[np.ndarray, np.ndarray]]:
    sides: dict[str, dict[str, dict[int, float]]] = {}
    for row in rows:
        if (row["condition"], row["engine"]) == (condition, engine):
            side = sides.setdefault(row["pair"], {}).setdefault(row["invocation"], {})
            for text in row["latencies_ns"].split():
                index, _, latency_ns = text.partition(":")
                side[int(index)] = float(latency_ns)
    found = [[both.get(number, {}) for number in "01"] for both in sides.values()]
    whole = [(a, b) for a, b in found if len(a) == len(b) == COUNT]
    return [
        (np.array([a[i] for i in networks()]), np.array([b[i] for i in networks()]))
        for a, b in whole
    ]


def _met(taus: dict[tuple[str, str], list[float]], condition: str, engine: str, quiet: bool) -> str:
    if engine != "nasprof":
        return ""
    ours = fmean(taus[condition, engine] or [0.0])
    if condition == "quiet":
        if not quiet:
            return "was not quiet"
        return "yes" if ours >= BAR else "NO"
    others = [taus[condition, other] for other in RULES]
    if not all(others):
        return "not finished"
    return "yes" if all(ours > fmean(other) for other in others) else "NO"


def _others(rows: Sequence[Row], condition: str, engine: str) -> float | None:
    """Cores that others used beside nasprof's rounds, the two busy processes among them."""
    mine = [r for r in rows if (r["condition"], r["engine"]) == (condition, engine)]
    known = [float(row["others_cores"]) for row in mine if row["others_cores"]]
    return fmean(known) if known else None


def _line(
    rows: Sequence[Row], condition: str, engine: str, taus: list[float], met: str
) -> Sequence[object]:
    """`differ` is the median over networks and pairs of how far two invocations differ."""
    differ = np.median([np.abs(b / a - 1) for a, b in _pairs(rows, condition, engine)])
    mine = [r for r in rows if (r["condition"], r["engine"]) == (condition, engine)]
    others = _others(rows, condition, engine)
    seconds = sum(float(row["seconds"]) for row in mine) * PARTS[engine] / len(mine)
    each = " ".join(f"{tau:.3f}" for tau in taus)
    return (
        condition, engine, len(taus), COUNT, f"{fmean(taus):.3f}", each, f"{differ:.1%}",
        "" if others is None else f"{others:.2f}", f"{seconds:.0f}", met,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
