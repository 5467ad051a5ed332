"""What nasprof's engine adds to a latency: python benchmarks/overhead.py.

Two ways, both against a hand-written IO-bound loop of ONNX Runtime:

- blocks: in one process, rounds of nasprof's timing loop and blocks of the hand-written loop (0.2 s
  each, a session each) take turns in random order. It says what the loop and the statistics add,
  and decides: 0.3 us for one Add, 1 % for models of about 1 ms and 20 ms.
- processes: a whole nasprof worker and two fresh processes of the hand-written loop in random
  order. The two of one kind say how far processes differ here anyway: on a virtual machine of two
  cores by several percent, so that 1 % is beyond what a few of them can show.

A figure is the median of the differences within turns. Run it on a quiet machine; exit code 1 when
a bar is missed.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from tabulate import tabulate

from exporters.model_file import open_model
from profiler.bench.attempt import Setting, Work, attempt
from profiler.bench.environment import capture
from profiler.bench.shapes import bind_inputs
from profiler.core.outcome import Attempt
from profiler.core.plugins import load
from profiler.core.summary import summarise
from profiler.core.target import BenchPlan, Target
from profiler.runtimes._runtime import Runtime
from profiler.worker.feeds import make_feeds
from profiler.worker.timing import runs_per_sample, take_round, warm_up

CPU = Target("onnxruntime-cpu")
ADD_US, RELATIVE, OUTSIDE = 0.3, 0.01, 0.02
BLOCK_NS, RUN_NS, WARM_NS = 200_000_000, 1_000_000_000, 300_000_000


@dataclass(slots=True)
class Turns:
    """What the sides of a model found, turn by turn; `again` is the hand-written loop once more.

    Unit: ns; `outside` is CPU time outside of timed samples as a share of the time inside.
    """

    model: str
    hand: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    outside: list[float] = field(default_factory=list)

    @property
    def difference_us(self) -> float:
        """What nasprof reports above the hand-written loop."""
        return median(b - a for a, b in zip(self.hand, self.ours, strict=True)) / 1e3

    @property
    def met(self) -> bool:
        """Whether the bar for this model is met."""
        if self.model == "one Add":
            return abs(self.difference_us) <= ADD_US
        return abs(_above(self.hand, self.ours)) <= RELATIVE and median(self.outside) < OUTSIDE

    def row(self) -> list[str]:
        """One line of the tables, without the verdict."""
        return [
            self.model,
            f"{median(self.hand) / 1e3:.3f}",
            f"{median(self.ours) / 1e3:.3f}",
            f"{self.difference_us:+.3f}",
            f"{_above(self.hand, self.ours):+.2%}",
            f"{median(self.outside):.2%}",
        ]


def _above(base: Sequence[float], new: Sequence[float]) -> float:
    return median(b / a - 1 for a, b in zip(base, new, strict=True))


class HandWritten:
    """Nothing but the runtime: inputs and outputs bound, each run stamped, plain median."""

    def __init__(self, path: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._binding = self._session.io_binding()
        rng = np.random.default_rng(0)
        for put in self._session.get_inputs():
            feed = rng.standard_normal(put.shape).astype(np.float32)
            self._binding.bind_cpu_input(put.name, feed)
        for got in self._session.get_outputs():
            self._binding.bind_output(got.name, "cpu")

    def run(self, length_ns: int) -> float:
        """Median time of one inference, over so long. Unit: ns."""
        run, binding = self._session.run_with_iobinding, self._binding
        clock, times = time.perf_counter_ns, list[int]()
        end = clock() + length_ns
        while clock() < end:
            began = clock()
            run(binding)
            times.append(clock() - began)
        return median(times)


class Engine:
    """nasprof's own loop in this process."""

    def __init__(self, path: Path) -> None:
        runtime: Runtime = load("profiler.runtimes", CPU.runtime)
        inputs = bind_inputs(open_model(path).inputs, {}, None)
        self._plan = BenchPlan()
        self._call = runtime.load(path, CPU).bind(make_feeds(inputs, 0))
        self._block = runs_per_sample(warm_up(self._call, self._plan).run_ns)

    def run(self) -> tuple[float, float]:
        """The median of one round, in ns, and its CPU outside of samples as a share."""
        began = time.process_time_ns()
        found = take_round(
            self._call, self._plan, self._block, time.perf_counter_ns() + 10 * BLOCK_NS
        )
        # All of the round, with the probes of the processor's pace between samples.
        outside = max((time.process_time_ns() - began) / sum(found.wall_ns) - 1, 0.0)
        return summarise([[found]]).median_ns, outside


def in_blocks(model: str, path: Path, pairs: int, rng: random.Random) -> Turns:
    """Blocks of both loops in this process."""
    found, hand, engine = Turns(model), HandWritten(path), Engine(path)
    hand.run(WARM_NS)
    turns: list[Callable[[], None]] = [
        lambda: found.hand.append(hand.run(BLOCK_NS)),
        lambda: _keep(found, engine.run()),
    ]
    _in_turns(turns, pairs, rng)
    return found


def in_processes(model: str, path: Path, passes: int, rng: random.Random) -> Turns:
    """Whole workers against fresh processes of the hand-written loop."""
    found = Turns(model)
    turns: list[Callable[[], None]] = [
        lambda: found.hand.append(_fresh(path)),
        lambda: found.again.append(_fresh(path)),
        lambda: _keep(found, _worker(path)),
    ]
    _in_turns(turns, passes, rng)
    return found


def _in_turns(turns: list[Callable[[], None]], count: int, rng: random.Random) -> None:
    for _ in range(count):
        for turn in rng.sample(turns, len(turns)):
            turn()


def _keep(found: Turns, result: tuple[float, float]) -> None:
    found.ours.append(result[0])
    found.outside.append(result[1])


def _fresh(path: Path) -> float:
    command = [sys.executable, __file__, "--alone", str(path)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _worker(path: Path) -> tuple[float, float]:
    model = open_model(path)
    work = Work(model, path.name, CPU, bind_inputs(model.inputs, {}, None), None)
    found = attempt(work, Setting(BenchPlan(), capture().key, "overhead"))
    if not isinstance(found, Attempt):
        raise SystemExit(f"{path.name}: {found.kind}: {found.message}")
    wall = sum(sum(block.wall_ns) for block in found.rounds)
    cpu = sum(sum(block.cpu_ns) for block in found.rounds)
    return summarise([list(found.rounds)]).median_ns, max(cpu / wall - 1, 0.0)


def add_model(path: Path) -> Path:
    """One Add of one number: all of it is overhead."""
    return _save([helper.make_node("Add", ["x", "x"], ["y"])], [], (1,), path)


def conv_model(path: Path, layers: int) -> Path:
    """So many 3x3 convolutions of 64 channels at 28 x 28, 29 million MACs each."""
    rng = np.random.default_rng(0)
    nodes, weights = [], []
    for number in range(layers):
        weight = rng.standard_normal((64, 64, 3, 3)).astype(np.float32) / 24
        weights.append(numpy_helper.from_array(weight, f"w{number}"))
        source = "x" if number == 0 else f"v{number}"
        target = "y" if number == layers - 1 else f"v{number + 1}"
        inputs = [source, f"w{number}"]
        nodes.append(helper.make_node("Conv", inputs, [target], pads=[1, 1, 1, 1]))
    return _save(nodes, weights, (1, 64, 28, 28), path)


def _save(
    nodes: list[onnx.NodeProto],
    weights: list[onnx.TensorProto],
    shape: tuple[int, ...],
    path: Path,
) -> Path:
    put, got = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in "xy")
    graph = helper.make_graph(nodes, "g", [put], [got], weights)
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


HEAD = ("model", "hand-written us", "nasprof us", "difference us", "relative", "CPU outside")


def main() -> int:
    """Measure, print, and say whether every bar is met."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--pairs", type=int, default=30, help="pairs of blocks in one process")
    parser.add_argument("--passes", type=int, default=4, help="passes of fresh processes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        alone = HandWritten(asked.alone)
        alone.run(WARM_NS)
        print(alone.run(RUN_NS))
        return 0
    rng = random.Random(asked.seed)
    with TemporaryDirectory() as text:
        folder = Path(text)
        models = {
            "one Add": add_model(folder / "add.onnx"),
            "3 convolutions": conv_model(folder / "short.onnx", 3),
            "60 convolutions": conv_model(folder / "long.onnx", 60),
        }
        blocks = [in_blocks(name, path, asked.pairs, rng) for name, path in models.items()]
        apart = [in_processes(name, path, asked.passes, rng) for name, path in models.items()]
    rows = [[*turns.row(), "met" if turns.met else "MISSED"] for turns in blocks]
    print(f"blocks in one process, {asked.pairs} pairs")
    print(tabulate(rows, (*HEAD, "bar"), disable_numparse=True))
    rows = [[*turns.row(), f"{_above(turns.hand, turns.again):+.2%}"] for turns in apart]
    print(f"\nfresh processes, {asked.passes} passes")
    print(tabulate(rows, (*HEAD, "hand-written again"), disable_numparse=True))
    return 0 if all(turns.met for turns in blocks) else 1


if __name__ == "__main__":
    sys.exit(main())
