"""`nasprof bench --suite`: what is measured, what is not measured again, and what is refused."""

import json
import re
import sqlite3
from pathlib import Path

import pytest
from test_cli_basics import make_good, nasprof

from exporters.calibration_data import calibration_of
from nasprof.optimizing import crossed
from nasprof.suites import read_suite
from profiler.bench.devices import RUNTIMES
from profiler.core import plugins
from profiler.core.errors import InputError
from profiler.core.target import BenchPlan
from profiler.core.target_text import parse_target

QUICK = 'models = ["*.onnx"]\nquick = true\n'


def suite(folder, text, *arguments):
    (folder / "suite.toml").write_text(text)
    return nasprof(
        "bench", "--suite", "suite.toml", *arguments, cwd=folder,
        NASPROF_STORE=str(folder / "store.db"), XDG_CACHE_HOME=str(folder / "cache"),
        TMPDIR=str(folder),
    )  # fmt: skip


def rows(folder):
    with sqlite3.connect(folder / "store.db") as connection:
        return connection.execute("SELECT count(*) FROM attempt").fetchone()[0]


def test_a_suite_is_measured_once_and_only_what_is_new_is_added(tmp_path):
    make_good(tmp_path / "a.onnx")
    first = suite(tmp_path, QUICK, "--json")
    assert first.returncode == 0, first.stderr
    (row,) = json.loads(first.stdout)
    assert rows(tmp_path) == BenchPlan.quick().processes

    (tmp_path / "same-content.onnx").write_bytes((tmp_path / "a.onnx").read_bytes())
    both = QUICK + 'targets = ["onnxruntime-cpu", "onnxruntime-cpu/optimization=none"]\n'
    second = suite(tmp_path, both, "--json")
    assert second.returncode == 0, second.stderr
    found = json.loads(second.stdout)
    assert len(found) == 4
    assert rows(tmp_path) == 2 * BenchPlan.quick().processes
    assert sum(entry["median_ns"] == row["median_ns"] for entry in found) == 2

    assert suite(tmp_path, both).returncode == 0
    assert rows(tmp_path) == 2 * BenchPlan.quick().processes
    assert list(tmp_path.glob("nasprof-*")) == []


def test_what_plain_bench_measured_is_not_measured_again(tmp_path):
    make_good(tmp_path / "a.onnx")
    plain = nasprof(
        "bench", "a.onnx", "--quick", cwd=tmp_path,
        NASPROF_STORE=str(tmp_path / "store.db"), XDG_CACHE_HOME=str(tmp_path / "cache"),
    )  # fmt: skip
    assert plain.returncode == 0, plain.stderr
    assert suite(tmp_path, QUICK).returncode == 0
    assert rows(tmp_path) == BenchPlan.quick().processes


def test_a_failure_is_kept_until_another_try_is_asked_for(tmp_path):
    make_good(tmp_path / "a.onnx")
    wrong = QUICK + 'targets = ["onnxruntime-cpu/colour=red"]\n'
    for arguments, expected in (((), 1), ((), 1), (("--retry-failed",), 2), ((), 2)):
        done = suite(tmp_path, wrong, *arguments)
        assert done.returncode == 3, done.stderr
        assert rows(tmp_path) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('models = ["a.onnx"]\nquick', "suite.toml"),
        ("quick = true", "models"),
        ("models = []", "models"),
        ('models = ["b*.onnx"]', "b*.onnx"),
        (QUICK + "colour = 1", "colour"),
        (QUICK + "batches = [0]", "batches"),
        (QUICK + "seed = true", "seed"),
        (QUICK + 'precisions = ["fp3"]', "fp3"),
    ],
)
def test_what_a_suite_cannot_say_names_the_key(text, words, tmp_path):
    (tmp_path / "a.onnx").touch()
    (tmp_path / "suite.toml").write_text(text)
    with pytest.raises(InputError, match=re.escape(words)):
        read_suite(tmp_path / "suite.toml")


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ('models = ["missing.onnx"]', [], "missing.onnx"),
        (QUICK + 'precisions = ["fp32", "bf16"]', [], "onnxruntime-cpu has no precision 'bf16'"),
        (QUICK, ["--on", "openvino-cpu"], "--on"),
        (QUICK, ["a.onnx"], "a model"),
    ],
)
def test_what_cannot_be_measured_is_one_line_and_nothing_is(text, arguments, words, tmp_path):
    make_good(tmp_path / "a.onnx")
    done = suite(tmp_path, text, *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert words in done.stderr
    assert not (tmp_path / "store.db").exists() or rows(tmp_path) == 0


def test_retry_failed_belongs_to_a_suite(tmp_path):
    make_good(tmp_path / "a.onnx")
    done = nasprof("bench", "a.onnx", "--retry-failed", cwd=tmp_path)
    assert done.returncode == 2
    assert "--suite" in done.stderr


@pytest.mark.parametrize("name", ["engines.toml", "optimized.toml"])
def test_the_committed_suites_name_targets_that_there_are(name):
    asked = read_suite(Path(__file__).parents[2] / "reports" / "samples" / name)
    for text in crossed(asked.targets, asked.optimize):
        target = parse_target(text).target()
        assert target.runtime in plugins.names(RUNTIMES)
        calibration_of(target)
