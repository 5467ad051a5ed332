from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from export_nets import run_file
from onnx import TensorProto, helper

from exporters.normalise import normalise
from profiler.core.errors import ModelError


def old_model(path: Path) -> None:
    """A model as old exporters wrote it: IR 3, the weight listed among the inputs."""
    weight = onnx.numpy_helper.from_array(np.eye(3, 4, dtype=np.float32), "w")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Relu", ["m"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, [2, 3]), value("w", TensorProto.FLOAT, [3, 4])],
        [value("y", TensorProto.FLOAT, [2, 4])],
        [weight],
    )
    opsets = [helper.make_opsetid("", 9)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=3), path)


def test_weights_become_constants_and_shapes_are_stored(tmp_path: Path) -> None:
    old_model(tmp_path / "old.onnx")
    normalise(tmp_path / "old.onnx", tmp_path / "new.onnx")
    new = onnx.load(tmp_path / "new.onnx")
    assert [value.name for value in new.graph.input] == ["x"]
    assert [info.name for info in new.graph.value_info] == ["m"]
    assert [(entry.domain, entry.version) for entry in new.opset_import] == [("", 9)]
    feeds = [{"x": np.ones((2, 3), np.float32)}]
    before, after = (run_file(tmp_path / name, feeds)[0]["y"] for name in ("old.onnx", "new.onnx"))
    np.testing.assert_array_equal(before, after)


def test_a_model_that_is_not_valid_is_refused_in_one_line(tmp_path: Path) -> None:
    old_model(tmp_path / "old.onnx")
    model = onnx.load(tmp_path / "old.onnx")
    model.graph.node[0].input[0] = "nobody"
    onnx.save(model, tmp_path / "bad.onnx")
    with pytest.raises(ModelError, match=r"bad\.onnx: .*") as caught:
        normalise(tmp_path / "bad.onnx", tmp_path / "new.onnx")
    assert caught.value.kind == "invalid_model"
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new.onnx").exists()
