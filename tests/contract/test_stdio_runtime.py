"""A command as a runtime: the guide's passes the contract, and what goes wrong in one is told."""

import json
import re
import struct
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from contract_cache import keep_environments
from onnx import TensorProto, helper, numpy_helper

from nasprof.testing import check_runtime
from profiler.bench.devices import probe, require
from profiler.core.errors import InputError, ModelError, UnavailableError
from profiler.core.outcome import FailureKind
from profiler.core.target import Target
from profiler.core.target_text import parse_target
from profiler.runtimes._command import Command
from profiler.worker.run import run_target

GUIDE = Path(__file__).parents[2] / "docs" / "add-a-runtime.md"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    keep_environments(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def worker(tmp_path):
    """The guide's command, started by a shell script as one for a board would be."""
    code = re.findall(r"```python\n(.+?)```", GUIDE.read_text(), re.DOTALL)[-1]
    assert len(code.splitlines()) < 100
    (tmp_path / "worker.py").write_text(code)
    script = tmp_path / "worker"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/worker.py"\n')
    script.chmod(0o755)
    return script


def test_the_guide_s_command_passes_the_contract(worker):
    check_runtime(f"stdio:{worker}", threads=(1,))


def test_weights_outside_of_the_model_are_sent_with_it(worker, tmp_path):
    weight = numpy_helper.from_array(np.arange(2048, dtype=np.float32).reshape(32, 64), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 32])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 64])
    graph = helper.make_graph([node], "outside", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data")
    feeds = {"x": np.ones((1, 32), np.float32)}
    (outputs,) = run_target(tmp_path / "m.onnx", Target(f"stdio:{worker}"), [feeds])
    assert outputs["y"][0, 0] == np.arange(2048).reshape(32, 64)[:, 0].sum()


@pytest.mark.parametrize(
    ("script", "kind", "says"),
    [
        ("exit 3", FailureKind.CRASHED, "exit code 3 when it was asked to probe"),
        ("kill -9 $$", FailureKind.CRASHED, "signal 9"),
        ("head -c 5 >/dev/null; echo hello, hello, hello", FailureKind.PROTOCOL_ERROR, "no frame"),
        (
            "printf '\\000\\000\\000\\002[]'; cat >/dev/null",
            FailureKind.PROTOCOL_ERROR,
            "no object",
        ),
        (
            "printf '\\000\\000\\000\\002{}'; cat >/dev/null",
            FailureKind.PROTOCOL_ERROR,
            "no result",
        ),
        ("printf '\\000\\000\\000\\003{}}'; cat >/dev/null", FailureKind.PROTOCOL_ERROR, "no JSON"),
        ("printf '\\000\\000\\000\\011{\"a'", FailureKind.CRASHED, "exit code 0"),
    ],
)
def test_a_command_that_breaks_the_protocol_is_told(tmp_path, script, kind, says):
    file = tmp_path / "bad"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    with pytest.raises(ModelError, match=re.escape(says)) as told:
        Command(str(file)).ask("probe")
    assert told.value.kind is kind
    found = probe(f"stdio:{file}")
    assert not found.available
    assert says in found.reason


@pytest.mark.parametrize("said", [{"kind": "unsupported", "message": "no FooBar"}, "no FooBar"])
def test_an_error_is_the_command_s_own_words(tmp_path, said):
    body = json.dumps({"error": said}).encode()
    (tmp_path / "answer").write_bytes(struct.pack(">I", len(body)) + body)
    command = Command(f"sh -c 'cat {tmp_path}/answer; cat >/dev/null'")
    with pytest.raises(ModelError, match="no FooBar") as told:
        command.ask("load")
    kinds = {"unsupported": FailureKind.UNSUPPORTED}
    wanted = kinds[said["kind"]] if isinstance(said, dict) else FailureKind.CRASHED
    assert told.value.kind is wanted
    command.close()


def test_a_command_that_is_not_there_is_unavailable():
    with pytest.raises(UnavailableError, match="No such file"):
        require("stdio:/nowhere/worker")
    with pytest.raises(UnavailableError, match="stdio:COMMAND"):
        require("stdio")


def test_only_what_stands_for_others_takes_an_argument():
    with pytest.raises(InputError, match="unknown runtime"):
        require("nothing:./worker")


def test_a_target_holds_the_command_and_its_parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = parse_target("stdio:./run.sh --at a/b/2t/fp16/x=y")
    assert found.runtime == f"stdio:{tmp_path}/run.sh --at a/b"
    assert (found.threads, found.precision, found.options) == (2, "fp16", (("x", "y"),))
    assert parse_target(found.key) == found
    assert parse_target("stdio:ssh board /opt/worker").runtime == "stdio:ssh board /opt/worker"
