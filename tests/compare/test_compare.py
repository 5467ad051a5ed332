"""Comparing for real: worker processes in turns on models whose difference no load can hide."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nasprof import api, comparing
from nasprof.cli import main
from profiler.core.comparison import Compared, Comparison, Decision
from profiler.core.errors import InputError
from profiler.core.outcome import Failure, Measurement
from profiler.store.store import open_store
from reports.comparison import comparison_markdown, comparison_table

ROOT = Path(__file__).parents[2]


def make_chain(path, size, length):
    """Matrix products one after the other; an operator that no runtime knows where length is 0."""
    weight = numpy_helper.from_array(np.eye(size, dtype=np.float32), "w")
    names = ["x", *(f"t{i}" for i in range(1, length)), "y"]
    nodes = [helper.make_node("MatMul", [a, "w"], [b]) for a, b in pairwise(names)]
    if length == 0:
        nodes = [helper.make_node("Nonsense", ["x", "w"], ["y"], domain="nowhere")]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [size, size])],
        [weight],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("nowhere", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        "small": make_chain(folder / "small.onnx", 128, 2),
        "large": make_chain(folder / "large.onnx", 128, 40),
        "broken": make_chain(folder / "broken.onnx", 128, 0),
        "also broken": make_chain(folder / "also broken.onnx", 64, 0),
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return str(tmp_path_factory.mktemp("store") / "store.db")


def nasprof(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "nasprof", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


@pytest.fixture(scope="module")
def gate(models, store):
    """One comparison by the command line, its gate far below the planted slowdown."""
    return nasprof(
        "compare", models["small"], models["large"], "--quick", "--fail-above", "50%",
        "--json", "--store", store,
    )  # fmt: skip


def test_a_gate_fails_on_a_large_slowdown_and_says_so(gate):
    assert gate.returncode == 1, gate.stderr
    (found,) = json.loads(gate.stdout)
    assert found["decision"] == "SLOWER"
    assert found["ratio"] > 1.5
    assert found["low"] <= found["ratio"] <= found["high"]
    assert found["pairs"] == 10
    assert found["base"]["label"] == "small.onnx"
    assert "large.onnx may be 50.0% slower at most" in gate.stderr


def test_every_process_is_stored_in_one_run_of_turns(gate, store):
    with open_store(store, read_only=True) as opened:
        (entry,) = [e for e in opened.history() if e.models == 2]
        outcomes = opened.outcomes(sessions=[entry.name])
    assert [len(outcome.attempts) for outcome in outcomes] == [10, 10]
    query = "SELECT label FROM attempt WHERE session = ? ORDER BY id"
    with closing(sqlite3.connect(store)) as connection:
        labels = [label for (label,) in connection.execute(query, [entry.name])]
    # Each pass holds one process of each model, and chance decides which of them comes first.
    assert all(set(labels[i : i + 2]) == {"small.onnx", "large.onnx"} for i in range(0, 20, 2))
    assert len(set(labels[::2])) == 2


@pytest.mark.slow
def test_a_model_is_compared_with_itself_by_pairs_of_its_own_processes(models, store):
    (found,) = api.compare([models["small"]] * 2, quick=True, store=store)
    assert isinstance(found.base, Measurement)
    assert len(found.base.attempts) == 20
    assert found.comparison.pairs + found.comparison.disturbed >= 10
    assert found.comparison.low <= 1.25
    assert found.comparison.high >= 0.8


def test_stored_runs_are_compared_with_the_warning_that_they_were_measured_apart(models, store):
    for name in ("small", "large"):
        api.bench(models[name], quick=True, store=store)
    with open_store(store, read_only=True) as opened:
        new, base = [e.name for e in opened.history() if e.models == 1 and e.kind == "bench"][:2]
    done = nasprof("compare", f"session:{base}", f"session:{new}", "--markdown", "--store", store)
    assert done.returncode == 0, done.stderr
    assert "| small.onnx |" in done.stdout
    assert "measured apart" in done.stdout
    (found,) = api.compare_stored([base, new], store=store)
    assert found.comparison.ratio > 1.5
    assert found.comparison.pairs is None


def test_a_model_that_fails_is_no_comparison_and_exit_code_3(models, store):
    done = nasprof("compare", models["broken"], models["also broken"], "--quick", "--store", store)
    assert done.returncode == 3
    assert "no measurement" in done.stdout
    assert "broken.onnx failed: unsupported" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["one.onnx", "two.onnx", "--strict"], "--strict"),
        (["one.onnx", "two.onnx", "--fail-above", "5"], "--fail-above '5' is not a percentage"),
        (["one.onnx", "two.onnx", "--same-within", "-1%"], "--same-within '-1%'"),
        (["session:a", "two.onnx"], "name only session:NAME"),
        (["session:a"], "name a second one"),
        (["session:a", "session:a"], "two different ones"),
        (["session:a", "session:b"], "nasprof history"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(arguments, words, store, gate, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["nasprof", "compare", *arguments, "--store", store])
    assert main._run() == 2
    errors = capsys.readouterr().err
    assert words in errors
    assert errors.count("\n") == 1


def test_one_model_or_equal_files_among_several_are_refused(models, store, tmp_path):
    with pytest.raises(InputError, match="name a second one"):
        api.compare([models["small"]], store=store)
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(models["small"].read_bytes())
    with pytest.raises(InputError, match="byte by byte"):
        api.compare([models["small"], copy, models["large"]], store=store)


def given(decision, disturbed):
    """A judge that says so of any pairs: of ten, so many are disturbed; of more, all the others."""

    def judge(pairs, margin):
        count = len(pairs)
        return Comparison(decision, 1, 1, 1, count, disturbed and disturbed + count - 10)

    return judge


def test_what_is_plain_needs_one_look_and_what_is_not_needs_all(monkeypatch, models, store):
    """Passes are added while a decision is open and in reach; decisions are given, not measured."""
    with open_store(store, read_only=True) as opened:
        outcomes = [o for o in opened.outcomes() if isinstance(o, Measurement)]
    some = next(o for o in outcomes if len(o.attempts) == 10)
    looks = []

    def measured(readies, targets, sizes, plan, store, on_progress):
        looks.append(plan.processes)
        return [some, replace(some, model_sha256="other")]

    monkeypatch.setattr(comparing, "measure_models", measured)
    race = comparing.Race((None, None), ("cpu",), comparing.Sizes())
    monkeypatch.setattr(comparing.Race, "check", lambda self: None)
    monkeypatch.setattr(comparing.Race, "against_itself", False)
    for decision, disturbed, expected in (
        (Decision.CANNOT_TELL, 0, 3),
        (Decision.CANNOT_TELL, 8, 2),  # two of ten, then two of twenty
        (Decision.CANNOT_TELL, 9, 1),
        (Decision.SAME, 0, 1),
    ):
        looks.clear()
        monkeypatch.setattr(comparing, "compare_pairs", given(decision, disturbed))
        (found,) = comparing.compare(race, None, lambda *step: None)
        assert looks == [10] * expected
        assert len(found.new.attempts) == found.comparison.pairs == 10 * expected


def test_names_from_models_can_break_no_table(store, gate):
    with open_store(store, read_only=True) as opened:
        some = next(o for o in opened.outcomes() if isinstance(o, Measurement))
    evil = replace(some, label="a|b\n<script>\x1b[31m")
    found = [Compared(some, evil, Comparison(Decision.CANNOT_TELL, 1, 0.0, float("inf"), 5))]
    for text in (comparison_markdown(found), comparison_table(found)):
        assert "\x1b" not in text
        assert "unknown" in text
    assert "<script>" not in comparison_markdown(found).replace("\\<", "")
    rows = [line for line in comparison_markdown(found).splitlines() if line.startswith("|")]
    assert {row.replace("\\|", "").count("|") for row in rows} == {8}


def test_a_failure_is_named_in_the_notes(store, gate):
    with open_store(store, read_only=True) as opened:
        some = next(o for o in opened.outcomes() if isinstance(o, Measurement))
        failed = next((o for o in opened.outcomes() if isinstance(o, Failure)), None)
    assert failed is not None
    assert "failed: unsupported" in comparison_table([Compared(some, failed, None)])
