import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "onnx", "onnxruntime", "numpy", "sqlalchemy", "matplotlib", "sklearn", "pyarrow"}


def nasprof(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "nasprof", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd or ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd or ROOT), "PYTHONPATH": str(ROOT)}
        | environment,
        check=False,
    )


@pytest.mark.parametrize(
    "command", [[], ["bench"], ["compare"], ["doctor"], ["search"], ["export"]]
)
def test_help_imports_nothing_heavy(command):
    script = (
        "import sys\nfrom nasprof.cli.main import _run\n"
        f"sys.argv = ['nasprof', *{command!r}, '--help']\ncode = _run()\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "Usage: nasprof" in done.stdout
    assert done.stdout.splitlines()[-1] == "[] 0"


def test_import_nasprof_is_light_and_its_verbs_are_functions():
    script = (
        "import sys, nasprof\n"
        f"assert not {HEAVY!r} & set(sys.modules)\n"
        "import nasprof.search.constraints\n"
        "print(all(callable(getattr(nasprof, n)) for n in nasprof.__all__))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "True"


def test_completion_is_offered():
    done = nasprof("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "nasprof" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "frobnicate"),
        (["export", "nonsense:thing", "-o", "x.onnx"], "nonsense"),
        (["export", "reference:resnet19", "-o", "x.onnx"], "resnet19"),
        (["export", "missing.py:factory", "-o", "x.onnx"], "missing.py"),
        (["export", "nasbench201:99999", "-o", "x.onnx"], "99999"),
        (["inspect", "missing.onnx"], "missing.onnx"),
        (["inspect", "empty.onnx"], "empty.onnx"),
        (["inspect", "text.onnx"], "text.onnx"),
        (["inspect", "folder.onnx"], "folder.onnx"),
        (["bench", "empty.onnx"], "empty.onnx"),
        (["bench", "missing.onnx"], "missing.onnx"),
        (["bench", "good.onnx", "--on", "abacus"], "abacus"),
        (["bench", "good.onnx", "--on", "onnxruntime-cuda"], "no NVIDIA GPU"),
        (["bench", "good.onnx", "--threads", "zero"], "--threads"),
        (["bench", "good.onnx", "--dim", "batch"], "--dim"),
        (["bench", "good.onnx", "--profile", "--threads", "1,2"], "--profile"),
        (["bench", "good.onnx", "--profile", "--on", "torch-cpu"], "no profile by operator"),
        (["bench", "good.onnx", "--top", "3"], "--top"),
        (["search", "--space", "nowhere"], "nowhere"),
        (["search", "--limit", "latency<=2ms"], "latency"),
        (["search", "--limit", "latency@onnxruntime-cpu<=2 apples"], "apples"),
        (["search", "--limit", "energy@onnxruntime-cpu<=5mJ"], "energy"),
        (["search", "--accuracy", "table:missing.csv"], "missing.csv"),
        (["search", "--strategy", "luck"], "luck"),
        (["search", "--queries", "0"], "queries"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(arguments, words, tmp_path):
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "text.onnx").write_text("not a model at all")
    (tmp_path / "folder.onnx").mkdir()
    make_good(tmp_path / "good.onnx")
    done = nasprof(*arguments, cwd=tmp_path, NASPROF_STORE=str(tmp_path / "store.db"))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert words in lines[0]
    assert done.stdout == ""


@pytest.mark.parametrize("command", [["history"], ["report"], ["bench", "good.onnx"]])
@pytest.mark.parametrize("kind", ["foreign", "folder"])
def test_a_store_that_is_none_is_exit_code_4_and_left_alone(command, kind, tmp_path):
    make_good(tmp_path / "good.onnx")
    store = tmp_path / "store.db"
    if kind == "folder":
        store.mkdir()
    else:
        store.write_text("this is a letter, not a store")
    done = nasprof(*command, "--store", store, cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert "store.db" in done.stderr
    if kind == "foreign":
        assert store.read_text() == "this is a letter, not a store"


def test_a_profile_is_of_one_measured_model(tmp_path):
    make_good(tmp_path / "good.onnx")
    arguments = ("good.onnx", "--profile", "--quick", "--json")
    done = nasprof("bench", *arguments, cwd=tmp_path, NASPROF_STORE=str(tmp_path / "store.db"))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (operator,) = found["operators"]
    assert operator["time_ns"] == pytest.approx(found["latency_ns"])
    assert operator["macs"] == 64
    assert "devices --calibrate" in done.stderr


def test_devices_names_what_is_missing_and_how_to_get_it(tmp_path):
    done = nasprof("devices", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = {device["runtime"]: device for device in json.loads(done.stdout)}
    assert found["onnxruntime-cpu"]["available"]
    for device in found.values():
        assert device["available"] or (device["reason"] and device["remedy"])


def make_good(path):
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])],
        [numpy_helper.from_array(np.ones((8, 8), np.float32), "w")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path
    )
