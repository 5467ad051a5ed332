"""A suite that is killed over and over: is every pair measured exactly once, and what does it cost?

    python benchmarks/chaos.py [--models 200] [--kills 10] [--seed 0]

Part one runs a suite of 40 small models undisturbed and prints the overhead: the wall time of the
whole command less the time that workers spend between loading and their last sample, per model.
Part two starts a suite of 200 small models, kills the tool (SIGKILL) ten times at random moments,
then lets it end. Afterwards every model must have exactly the plan's processes in one session, the
store must be sound, and no process and no temporary folder may be left.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from profiler.core.outcome import Measurement
from profiler.store.store import open_store

RESULTS = Path(__file__).with_name("results") / "chaos.csv"
SUITE = 'models = ["nets/*.onnx"]\nquick = true\n'
MOMENTS_S = (2.0, 36.0)
OVERHEAD_MODELS = 40


def main() -> None:
    """Run both parts, print and keep what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", choices=("overhead", "killed", "both"), default="both")
    options = parser.parse_args()
    found: list[tuple[str, object]] = []
    if options.part != "killed":
        found += _in_folder(OVERHEAD_MODELS, _overhead)
    if options.part != "overhead":
        found += _in_folder(options.models, lambda f: _killed(f, options.kills, options.seed))
    _keep(found)


def _in_folder(models, work):
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        (folder / "nets").mkdir()
        (folder / "tmp").mkdir()
        (folder / "suite.toml").write_text(SUITE)
        for number in range(models):
            _make(folder / "nets" / f"net-{number:03d}.onnx", number)
        return work(folder)
    finally:
        shutil.rmtree(folder)


def _overhead(folder: Path) -> list[tuple[str, object]]:
    started = time.perf_counter()
    process = _start(folder)
    assert process.wait() == 0
    wall = time.perf_counter() - started
    outcomes = _outcomes(folder)
    measuring = sum(
        attempt.after.monotonic_s - attempt.before.monotonic_s
        for found in outcomes
        for attempt in found.attempts
    )
    return [
        ("models of the undisturbed suite", len(outcomes)),
        ("wall, s", round(wall, 1)),
        ("measuring itself, s", round(measuring, 1)),
        ("overhead a model, s", round((wall - measuring) / len(outcomes), 3)),
    ]


def _killed(folder: Path, kills: int, seed: int) -> list[tuple[str, object]]:
    moments, rows, left = random.Random(seed), [], 0
    for _ in range(kills):
        process = _start(folder)
        try:
            process.wait(timeout=moments.uniform(*MOMENTS_S))
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        left += _left_after(process.pid)
        rows.append(_rows(folder))
        print(f"killed with {rows[-1]} attempts stored", flush=True)
    process = _start(folder)
    assert process.wait() == 0
    left += _left_after(process.pid)
    outcomes = _outcomes(folder)
    processes = Counter(len(found.attempts) for found in outcomes)
    with sqlite3.connect(folder / "store.db") as connection:
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
    models = len(list((folder / "nets").iterdir()))
    once = (
        len(outcomes) == models == len({found.model_sha256 for found in outcomes})
        and all(isinstance(found, Measurement) for found in outcomes)
        and all(len(found.attempts) == found.plan.processes for found in outcomes)
        and _rows(folder) == sum(len(found.attempts) for found in outcomes)
    )
    folders = len(list((folder / "tmp").iterdir()))
    return [
        ("models of the killed suite", models),
        ("kills", len(rows)),
        ("attempts stored at each kill", " ".join(map(str, rows))),
        ("models by processes measured", " ".join(f"{n}x{c}" for n, c in processes.items())),
        ("every pair measured exactly once", once),
        ("integrity of the store", sound),
        ("processes left", left),
        ("temporary folders left", folders),
    ]


def _start(folder: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-m", "nasprof", "bench", "--suite", "suite.toml", "--store", "store.db"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(folder / "tmp"),
             "XDG_CACHE_HOME": str(folder / "cache")},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _left_after(pid: int, limit_s: float = 5.0) -> int:
    """Workers of a dead tool that are still there after the limit; their folder names its id."""
    deadline = time.monotonic() + limit_s
    while (found := _workers(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return len(found)


def _workers(pid: int) -> list[str]:
    mark, found = f"nasprof-{pid}-".encode(), []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark in entry.read_bytes():
                found.append(entry.parent.name)
        except OSError:
            continue
    return found


def _outcomes(folder: Path) -> list[Measurement]:
    with open_store(str(folder / "store.db"), read_only=True) as store:
        return store.outcomes(complete=False)


def _rows(folder: Path) -> int:
    database = folder / "store.db"
    if not database.exists():
        return 0
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'attempt'")
        if tables.fetchone() is None:
            return 0
        return connection.execute("SELECT count(*) FROM attempt").fetchone()[0]


def _make(path: Path, seed: int) -> None:
    drawn = np.random.default_rng(seed)
    weights = {
        "w": drawn.standard_normal((8, 3, 3, 3)).astype(np.float32),
        "v": drawn.standard_normal((8 * 16 * 16, 10)).astype(np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["r"]),
            helper.make_node("Flatten", ["r"], ["f"]),
            helper.make_node("MatMul", ["f", "v"], ["y"]),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def _keep(found: list[tuple[str, object]]) -> None:
    """Print the figures and write them; those of a part that was not run now are kept."""
    kept: dict[str, object] = {}
    if RESULTS.exists():
        with RESULTS.open(newline="") as file:
            kept = {row["figure"]: row["value"] for row in csv.DictReader(file)}
    kept |= dict(found)
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["figure", "value"])
        writer.writerows(kept.items())
    for name, value in found:
        print(f"{name:40} {value}")


if __name__ == "__main__":
    main()
