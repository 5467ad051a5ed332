"""Can nasprof's numbers be trusted?

    python benchmarks/trust.py PART [--seconds 280]

- load: beside two busy processes, is the median within 5 % of the quiet one or flagged?
- coverage: does the 95 % interval of the median hold the long-run median in 90 to 99 % of 200
  measurements?
- itself: does a comparison of a model with itself say FASTER or SLOWER in at most 2 of 200?
- planted: is a chain of 21 equal layers found SLOWER than one of 20 in at least 18 of 20?
- show: what was found so far, written to results/trust.csv.

Every part drives the product: worker processes, store, statistics, comparison. A run that was
stopped goes on; --seconds ends it after so long. `coverage` and `planted` wait for a machine that
nobody else uses. `itself` takes it as it comes: chance orders the processes of a comparison, so
what others do must not make a false alarm either. How many comparisons had enough undisturbed
pairs for an alarm is told with them.
The long-run median is the median over all measurements of the part. Exit code of `show`: 1 when
something finished misses its bar.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from search_results import RESULTS, Row, Runs, write_table
from tabulate import tabulate

from nasprof.comparing import Race, compare
from nasprof.measuring import Sizes, measure_models, prepare
from profiler.bench.preflight import load_now
from profiler.core.comparison import Comparison
from profiler.core.outcome import Measurement
from profiler.core.target import BenchPlan, Target
from profiler.store.store import Store, open_store

CPU = Target("onnxruntime-cpu")
LAYERS, CHANNELS, SIDE = 20, 16, 28
PLAN = replace(BenchPlan.quick(), max_processes=6)
SHORT = replace(BenchPlan.quick(), rounds=2, round_s=0.02, warmup_s=0.02)
QUIET_CORES = 0.25
BUSY = "while True: pass"
HEAD = ("part", "measurements", "found", "bar", "met", "plan", "model")


@dataclass(frozen=True, slots=True)
class Part:
    """One question: how often it is asked, and the columns of an answer."""

    name: str
    times: int
    plan: BenchPlan
    columns: tuple[str, ...]

    @property
    def runs(self) -> Runs:
        """The answers so far."""
        return Runs(RESULTS / f"trust.{self.name}.runs.csv", ("number",), self.columns)


MEASURED = ("median_ns", "low_ns", "high_ns", "verdict", "processes", "pace_share", "load")
COMPARED = ("decision", "ratio", "low", "high", "pairs", "disturbed")
PARTS = {
    part.name: part
    for part in (
        Part("load", 20, PLAN, MEASURED),
        Part("coverage", 200, PLAN, MEASURED),
        Part("itself", 200, SHORT, (*COMPARED, "reasons")),
        Part("planted", 20, PLAN, COMPARED),
    )
}


def main() -> int:
    """Ask one question as often as there is time for, or show the answers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("part", choices=[*PARTS, "show"])
    parser.add_argument("--seconds", type=float, default=float("inf"))
    asked = parser.parse_args()
    if asked.part == "show":
        return show()
    part = PARTS[asked.part]
    end = time.monotonic() + asked.seconds
    ask = {"load": beside_load, "coverage": measured, "itself": itself, "planted": planted}
    wanted = _until(part, end, needs_quiet=asked.part in ("coverage", "planted"))
    part.runs.do(wanted, lambda number: ask[part.name](number, part.plan))
    return 0


def _until(part: Part, end: float, needs_quiet: bool) -> Iterator[tuple[int]]:
    done = {row["number"] for row in part.runs.rows()}
    for number in range(part.times):
        if time.monotonic() >= end:
            return
        if str(number) in done:
            continue
        while needs_quiet and (load_now() or 0.0) > QUIET_CORES:
            if time.monotonic() >= end:
                return
        yield (number,)


def measured(number: int, plan: BenchPlan) -> Sequence[object]:
    """One measurement of the chain; one that others disturbed is made again."""
    while True:
        with _Place() as place:
            found = place.measure(replace(plan, seed=number))
        if float(str(found[-1])) <= QUIET_CORES:
            return found


def beside_load(number: int, plan: BenchPlan) -> Sequence[object]:
    """As `measured`, beside two processes that never rest."""
    with _Place() as place:
        others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2)]
        try:
            return place.measure(replace(plan, seed=number))
        finally:
            for other in others:
                other.kill()
                other.wait()


def itself(number: int, plan: BenchPlan) -> Sequence[object]:
    """A comparison of the chain with itself."""
    with _Place() as place:
        found = place.compare([LAYERS, LAYERS], number, plan)
    return *_figures(found), "; ".join(found.reasons)


def planted(number: int, plan: BenchPlan) -> Sequence[object]:
    """A comparison of the chain with one that has a twentieth more of the same layers."""
    with _Place() as place:
        return _figures(place.compare([LAYERS, LAYERS + LAYERS // 20], number, plan))


class _Place:
    """A temporary folder with models and a store."""

    def __enter__(self) -> _Place:
        self._folder = tempfile.TemporaryDirectory()
        self._store: Store = open_store(str(self._path("store.db")))
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()
        self._folder.cleanup()

    def _path(self, name: str) -> Path:
        return Path(self._folder.name) / name

    def _ready(self, layers: int):
        path = self._path(f"{layers}.onnx")
        if not path.exists():
            chain(path, layers)
        return prepare(path, Sizes(), 0, self._store, lambda text: None)

    def measure(self, plan: BenchPlan) -> Sequence[object]:
        (found,) = measure_models(
            [self._ready(LAYERS)], [CPU], Sizes(), plan, self._store, lambda *_: None
        )
        if not isinstance(found, Measurement):
            raise SystemExit(f"no measurement: {found.kind}: {found.message}")
        one = found.latency
        loads = [b.external_load or 0.0 for a in found.attempts for b in a.rounds]
        return (
            one.median_ns, one.low_ns, one.high_ns, one.verdict.value, len(found.attempts),
            one.pace_share, round(median(loads), 2),
        )  # fmt: skip

    def compare(self, layers: Sequence[int], seed: int, plan: BenchPlan) -> Comparison:
        race = Race(tuple(map(self._ready, layers)), (CPU,), Sizes(), seed, plan=plan)
        (found,) = compare(race, self._store, lambda *_: None)
        one = found.comparison
        if not isinstance(one, Comparison):
            raise SystemExit(f"no comparison: {found.base}, {found.new}"[:1000])
        return one


def _figures(one: Comparison) -> Sequence[object]:
    return one.decision.value, one.ratio, one.low, one.high, one.pairs, one.disturbed


def chain(path: Path, layers: int) -> Path:
    """So many equal 3x3 convolutions one after another, 1.8 million MACs each."""
    rng = np.random.default_rng(0)
    nodes, weights = [], []
    for number in range(layers):
        values = rng.standard_normal((CHANNELS, CHANNELS, 3, 3)) / np.sqrt(9 * CHANNELS)
        weights.append(numpy_helper.from_array(values.astype(np.float32), f"w{number}"))
        names = ["x" if number == 0 else f"v{number}", f"w{number}"]
        out = "y" if number == layers - 1 else f"v{number + 1}"
        nodes.append(helper.make_node("Conv", names, [out], pads=[1, 1, 1, 1]))
    shape = (1, CHANNELS, SIDE, SIDE)
    put, got = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in "xy")
    graph = helper.make_graph(nodes, "chain", [put], [got], weights)
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def show() -> int:
    """Print and keep what was found; 1 when a finished part misses its bar."""
    judges = {"load": _load, "coverage": _coverage, "itself": _itself, "planted": _planted}
    table, missed = [], False
    for name, part in PARTS.items():
        rows = part.runs.rows()
        if not rows:
            continue
        found, bar, met = judges[name](rows)
        complete = len(rows) >= part.times
        missed |= complete and not met
        state = ("yes" if met else "NO") if complete else "not finished"
        table.append((name, len(rows), found, bar, state, _plan(part.plan), _model()))
    write_table(RESULTS / "trust.csv", HEAD, table)
    print(tabulate([row[:5] for row in table], HEAD[:5], disable_numparse=True))
    return int(missed)


def _load(rows: Sequence[Row]) -> tuple[str, str, bool]:
    quiet = _long_run(PARTS["coverage"].runs.rows())
    near = [abs(float(row["median_ns"]) / quiet - 1) <= 0.05 for row in rows]
    flagged = [row["verdict"] != "valid" for row in rows]
    good = sum(a or b for a, b in zip(near, flagged, strict=True))
    found = f"{good} near or flagged ({sum(flagged)} flagged, {sum(near)} within 5%)"
    return found, "all", good == len(rows)


def _coverage(rows: Sequence[Row]) -> tuple[str, str, bool]:
    truth = _long_run(rows)
    holds = [float(row["low_ns"]) <= truth <= float(row["high_ns"]) for row in rows]
    widths = [(float(r["high_ns"]) - float(r["low_ns"])) / 2 / float(r["median_ns"]) for r in rows]
    share = sum(holds) / len(rows)
    found = (
        f"{sum(holds)} hold the long-run median of {truth / 1e6:.3f} ms ({share:.1%}); "
        f"half-width {median(widths):.1%} in the middle; {_by_verdict(rows, holds)}"
    )
    return found, "90% to 99%", 0.90 <= share <= 0.99


def _by_verdict(rows: Sequence[Row], holds: Sequence[bool]) -> str:
    called = Counter(row["verdict"] for row in rows)
    held = Counter(row["verdict"] for row, held in zip(rows, holds, strict=True) if held)
    return ", ".join(f"{held[v]} of {n} {v}" for v, n in called.most_common())


def _itself(rows: Sequence[Row]) -> tuple[str, str, bool]:
    alarms = sum(row["decision"] in ("FASTER", "SLOWER") for row in rows)
    able = sum("only differences beyond" not in row["reasons"] for row in rows)
    found = f"{_decisions(rows)}; {able} with enough undisturbed pairs"
    return found, "at most 2 FASTER or SLOWER", alarms <= 2


def _planted(rows: Sequence[Row]) -> tuple[str, str, bool]:
    slower = sum(row["decision"] == "SLOWER" for row in rows)
    ratio = median(float(row["ratio"]) for row in rows)
    return f"{_decisions(rows)}; ratio {ratio:.3f}", "at least 18 SLOWER", slower >= 18


def _decisions(rows: Sequence[Row]) -> str:
    counts = Counter(row["decision"] for row in rows).most_common()
    pairs = median(int(row["pairs"]) for row in rows)
    return ", ".join(f"{count} {name}" for name, count in counts) + f"; {pairs:g} pairs"


def _long_run(rows: Sequence[Row]) -> float:
    return median(float(row["median_ns"]) for row in rows)


def _plan(plan: BenchPlan) -> str:
    return f"{plan.rounds} rounds of {plan.round_s} s, warm-up {plan.warmup_s} s"


def _model() -> str:
    return f"{LAYERS} convolutions of {CHANNELS} channels at {SIDE} x {SIDE}"


if __name__ == "__main__":
    sys.exit(main())
