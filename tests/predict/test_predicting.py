"""Predictors from tables, the store and few measurements; kept in files; through the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nasprof import api
from nasprof.predicting.models import columns_of, matrix, model_features
from nasprof.spaces.nasbench201 import PLUGIN
from profiler.core.cost import GraphCost, NodeCost, by_operator
from profiler.core.environment import Conditions, Environment
from profiler.core.errors import InputError
from profiler.core.outcome import Attempt, Round
from profiler.core.target import BenchPlan, Target
from profiler.store.records import ModelRecord
from profiler.store.store import Store, open_store

ROOT = Path(__file__).parents[2]
TARGET = Target("onnxruntime-cpu")
NS_A_MAC, NS_A_BYTE, NS_A_NODE = 0.02, 0.1, 3000.0
ENVIRONMENT = Environment(
    cpu_model="Made-up CPU", cores_online=2, cores_allowed=(0,), memory_bytes=1 << 30,
    governor=None, boost=None, smt=None, cpu_quota=None, hypervisor=None, kernel="6",
    gpu=None, versions=(),
)  # fmt: skip


def _graph(rng: np.random.Generator, scale: int = 1) -> GraphCost:
    nodes = []
    for i in range(int(rng.integers(3, 20))):
        moved = int(rng.integers(1_000, 50_000)) * scale
        if rng.random() < 0.6:
            macs = int(rng.integers(100_000, 5_000_000)) * scale
            nodes.append(NodeCost(f"c{i}", "Conv", macs, 2 * macs, moved, moved))
        else:
            nodes.append(NodeCost(f"r{i}", "Relu", 0, moved, moved, moved))
    macs = sum(node.macs or 0 for node in nodes)
    return GraphCost(
        macs=macs, flops=2 * macs, params=10, module_params=None, weight_bytes=40,
        peak_activation_bytes=None, bytes_read=0, bytes_written=0, by_op=by_operator(nodes),
        nodes=tuple(nodes), uncounted=(), unknown=(),
    )  # fmt: skip


def _latency(cost: GraphCost) -> float:
    moved = sum((node.bytes_read or 0) + (node.bytes_written or 0) for node in cost.nodes)
    return cost.macs * NS_A_MAC + moved * NS_A_BYTE + len(cost.nodes) * NS_A_NODE


def _put(
    store: Store, number: int, cost: GraphCost, environment: Environment, spread: float
) -> None:
    sha = f"{number:064x}"
    store.put_model(ModelRecord(sha, f"m{number}", None, 1), cost)
    middle = _latency(cost)
    walls = np.linspace(middle * (1 - spread), middle * (1 + spread), 11).astype(int)
    rounds = tuple(
        Round(tuple(int(w + k) for w in np.roll(walls, k)), (1,) * 11, (0,) * 11, (0,) * 11)
        for k in range(-4, 4)
    )
    if spread > 0.1:  # medians of rounds far apart: an interval too wide to be used
        rounds = tuple(
            replace(r, wall_ns=tuple(int(w * (0.5 if i % 2 else 1.7)) for w in r.wall_ns))
            for i, r in enumerate(rounds)
        )
    state = Conditions(None, None, None, None)
    attempt = Attempt(1, 1, 1, 5, True, rounds, 1, 2, (), (), None, state, state)
    plan = BenchPlan(processes=1)
    store.put_attempt("s", 1, sha, f"m{number}", TARGET, plan, environment.key, (), attempt)


def _store(path: Path, count: int) -> str:
    rng = np.random.default_rng(0)
    other = replace(ENVIRONMENT, kernel="7")
    with open_store(str(path)) as store:
        store.put_environment(ENVIRONMENT)
        store.put_environment(other)
        for number in range(count):
            _put(store, number, _graph(rng), ENVIRONMENT, 0.001)
        _put(store, 500, _graph(rng), ENVIRONMENT, 0.5)
        for number in range(600, 603):  # another machine: never pooled
            _put(store, number, _graph(rng, 100), other, 0.001)
    return str(path)


def test_any_model_is_predicted_from_its_operators(tmp_path: Path) -> None:
    store, path = _store(tmp_path / "s.db", 60), tmp_path / "p.json"
    predictor = api.fit_latency(store=store, output=path)
    assert predictor.saved.kind == "operators"
    assert len(predictor.saved.values) == 60
    assert predictor.saved.left_out == 1
    assert predictor.saved.environment == ENVIRONMENT.key
    assert predictor.saved.machine == "Made-up CPU"
    assert predictor.heldout is not None
    assert predictor.heldout.within_10 > 0.9
    cost = _graph(np.random.default_rng(77))
    found = predictor.predict(cost)
    assert found.value == pytest.approx(_latency(cost), rel=0.1)
    assert found.low < found.value < found.high
    assert (found.unit, found.in_domain) == ("ns", True)
    assert not predictor.predict(_graph(np.random.default_rng(77), 100)).in_domain
    odd = replace(cost, nodes=(*cost.nodes, NodeCost("x", "LSTM", 5, 10, 5, 5)))
    assert not predictor.predict(odd).in_domain
    again = api.load_predictor(path)
    assert again.predict(cost) == found
    assert api.evaluate_predictor(path) == predictor.heldout


def test_too_few_measurements_are_one_clear_line(tmp_path: Path) -> None:
    store = _store(tmp_path / "s.db", 9)
    with pytest.raises(InputError, match=r"9 usable measurements.*at least 10.*nasprof bench"):
        api.fit_latency(store=store, output=tmp_path / "p.json")
    with pytest.raises(InputError, match="of candidates of nasbench201"):
        api.fit_latency(store=store, space="nasbench201", output=tmp_path / "p.json")


def test_rare_operators_share_a_column() -> None:
    profiles = [model_features(_graph(np.random.default_rng(i))) for i in range(30)]
    profiles[0] |= {"Rare nodes": 2.0, "Rare macs": 7.0}
    columns = columns_of(profiles)
    assert not any(name.startswith("Rare") for name in columns)
    row = dict(zip(columns, matrix(profiles[:1], columns)[0], strict=True))
    assert (row["other nodes"], row["other macs"], row["other bytes"]) == (2.0, 7.0, 0.0)


def _csv(path: Path, count: int = 60) -> Path:
    rng = np.random.default_rng(1)
    lines = ["op,width,took_ms"]
    for _ in range(count):
        op, width = ["conv", "pool"][rng.integers(2)], int(rng.integers(1, 9))
        lines.append(f"{op},{width},{1 + (2.0 if op == 'conv' else 0.2) + 0.3 * width}")
    path.write_text("\n".join(lines))
    return path


def test_a_table_of_ones_own_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    _, predictor = api.fit_predictor(
        table=_csv(tmp_path / "results.csv"), genes=["op", "width"], column="took_ms", output=path
    )
    found = predictor.predict("op=conv,width=4")
    assert found.value == pytest.approx(4.2e6, rel=0.02)
    assert found.in_domain
    assert not predictor.predict("op=conv,width=40").in_domain
    assert not predictor.predict("op=other,width=4").in_domain
    with pytest.raises(InputError, match=r"write op=\.\.\.,width=\.\.\."):
        predictor.predict("width=4")


def test_cells_of_a_table_are_split_by_what_they_compute(tmp_path: Path) -> None:
    rows = ["arch,board_ms"]
    for index in range(150):
        genes = PLUGIN.at(index)
        rows.append(f"{PLUGIN.describe(genes)},{1 + 3 * genes.count(3) + genes.count(2)}")
    table = tmp_path / "cells.csv"
    table.write_text("\n".join(rows))
    _, predictor = api.fit_predictor(
        table=table, space="nasbench201", column="board_ms", output=tmp_path / "p.json"
    )
    assert predictor.heldout is not None
    assert predictor.heldout.spearman > 0.99
    genes = PLUGIN.at(500)
    truth = 1e6 * (1 + 3 * genes.count(3) + genes.count(2))
    for asked in ("nasbench201:500", "500", genes):
        assert predictor.predict(asked).value == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize(
    "change",
    [
        {"values": [-1.0] * 60},
        {"values": [1.0]},
        {"rows": [[1.0]] * 60},
        {"rows": "cbuiltins\neval\n"},
        {"kind": "pickle"},
        {"rows": [[1e200] * 3] * 60},
        {"values": ["nan"] * 60},
        {"kind": "transfer"},
        {"widths": [1]},
        {"format": "nasprof-predictor-99"},
        {"space": "../../etc/passwd"},
        {"space": "own.py"},
    ],
)
def test_a_file_that_was_meddled_with_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    path = tmp_path / "p.json"
    api.fit_predictor(
        table=_csv(tmp_path / "r.csv"), genes=["op", "width"], column="took_ms", output=path
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text("raise SystemExit('was run')")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError):
        api.load_predictor(path)


@pytest.mark.parametrize("data", [b"", b"[]", b"\x80\x04cos\nsystem\n", b"[" * 100_000, b"\xff{}"])
def test_what_is_no_predictor_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match="is no predictor"):
        api.load_predictor(path)


def _nasprof(folder: Path, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "nasprof", "predict", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_fit_eval_and_show_from_the_command_line(tmp_path: Path) -> None:
    table = _csv(tmp_path / "r.csv")
    fit = ("fit", "--table", table, "--genes", "op,width", "--metric", "took_ms", "-o", "mine")
    assert "held-out error  RMSPE" in _nasprof(tmp_path, *fit).stdout
    shown = _nasprof(tmp_path, "show", "mine", "op=conv,width=4", "op=conv,width=99").stdout
    assert "yes" in shown
    assert "no: measure it" in shown
    found = json.loads(_nasprof(tmp_path, "show", "mine", "op=pool,width=2", "--json").stdout)
    assert found["predictions"][0]["unit"] == "ns"
    assert found["measurements"] == 60
    errors = json.loads(_nasprof(tmp_path, "eval", "mine", "--json").stdout)
    assert errors == found["heldout"]
    assert "no predictor" in _nasprof(tmp_path, "show", "other", code=2).stderr
    _csv(tmp_path / "r.csv", 5)
    assert "at least 10" in _nasprof(tmp_path, *fit, code=2).stderr


@pytest.mark.slow
def test_ten_measurements_here_and_a_table_of_other_devices(tmp_path: Path) -> None:
    table = ROOT.parent / "shared" / "data" / "hardware" / "nasbench201_latency_ms.parquet"
    if not table.is_file():
        pytest.skip("the shared benchmark tables are not here")
    store = tmp_path / "s.db"
    fit = (
        "fit", "--target", "onnxruntime-cpu", "--space", "nasbench201", "--from", table,
        "--measurements", "6", "--store", store, "-o", "few.json",
    )  # fmt: skip
    assert "transfer" in _nasprof(tmp_path, *fit).stdout
    shown = json.loads(_nasprof(tmp_path, "show", "few.json", "857", "81", "--json").stdout)
    assert len(shown["predictions"]) == 2
    assert all(p["low"] <= p["value"] <= p["high"] for p in shown["predictions"])
