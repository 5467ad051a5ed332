"""The doctor on this machine, whatever that is: its figures must follow from what was measured."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nasprof import api
from nasprof.comparing import itself
from profiler.core.errors import MeasurementError
from profiler.core.resolution import resolvable
from profiler.store.store import open_store
from reports.diagnosis import diagnosis_text

ROOT = Path(__file__).parents[2]


def make_product(path, domain=""):
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], domain=domain)],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [64, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [64, 64])],
        [numpy_helper.from_array(np.eye(64, dtype=np.float32), "w")],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("nowhere", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def test_the_doctor_says_what_follows_from_its_own_processes(tmp_path):
    store = str(tmp_path / "store.db")
    found = api.doctor(make_product(tmp_path / "product.onnx"), store=store)
    with open_store(store, read_only=True) as opened:
        (measured,) = opened.outcomes()
    assert len(measured.attempts) == 20
    logs = [pair.log_ratio for pair in itself(measured, 0) if not pair.disturbed]
    assert [one.pairs for one in found.resolved] == [10, 20, 30]
    for one in found.resolved:
        assert one.seconds > 0
        if one.difference is None:
            assert len(logs) < 5
        else:
            assert one.difference == resolvable(logs, one.pairs)
            assert one.difference > 0
    text = diagnosis_text(found)
    assert "product.onnx" in text
    assert all(finding.observed in text and finding.remedy in text for finding in found.findings)
    assert f"journal mode {found.journal}" in text
    assert found.journal in ("wal", "delete")


def test_a_model_that_can_not_be_measured_is_an_error_of_its_own(tmp_path):
    with pytest.raises(MeasurementError, match=r"broken\.onnx on onnxruntime-cpu: unsupported"):
        api.doctor(make_product(tmp_path / "broken.onnx", "nowhere"), store=str(tmp_path / "s.db"))


@pytest.mark.slow
def test_the_command_prints_json(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "nasprof", "doctor", make_product(tmp_path / "product.onnx"),
         "--json", "--store", tmp_path / "s.db"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["against_itself"]["new"]["label"] == "product.onnx"
    assert [one["pairs"] for one in found["resolvable"]] == [10, 20, 30]
