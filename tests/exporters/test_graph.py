from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from export_nets import run_file
from onnx import TensorProto, helper

from exporters.graph import GraphError, finish, tidy


def value(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3])


def model(nodes: list[onnx.NodeProto], opset: int = 18, domain: str = "") -> onnx.ModelProto:
    weight = onnx.numpy_helper.from_array(np.full((2, 3), 2, np.float32), "w")
    graph = helper.make_graph(nodes, "g", [value("input")], [value("output")], [weight])
    opsets = [helper.make_opsetid("", opset)]
    opsets += [helper.make_opsetid(domain, 1)] if domain else []
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def finished(tmp_path: Path, source: onnx.ModelProto, opset: int = 18) -> onnx.ModelProto:
    folder = tmp_path / "work"
    folder.mkdir(exist_ok=True)
    onnx.save(source, folder / "m.onnx")
    finish(folder / "m.onnx", opset, large=False)
    return onnx.load(folder / "m.onnx")


def outputs(tmp_path: Path) -> np.ndarray:
    feed = {"input": np.arange(6, dtype=np.float32).reshape(2, 3)}
    return run_file(tmp_path / "work" / "m.onnx", [feed])[0]["output"]


def test_copies_of_values_go_and_the_outputs_stay(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Identity", ["w"], ["w1"]),
        helper.make_node("Identity", ["w1"], ["w2"]),
        helper.make_node("Add", ["input", "w2"], ["sum"]),
        helper.make_node("Identity", ["sum"], ["output"]),
    ]
    done = finished(tmp_path, model(nodes))
    assert [node.op_type for node in done.graph.node] == ["Add", "Identity"]
    np.testing.assert_array_equal(outputs(tmp_path), np.arange(6.0).reshape(2, 3) + 2)


def test_copies_that_a_branch_reads_are_followed(tmp_path: Path) -> None:
    def branch(name: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, None)
        node = helper.make_node("Mul", ["copied", "w"], [f"{name}_out"])
        return helper.make_graph([node], name, [], [out])

    nodes = [
        helper.make_node("Identity", ["input"], ["copied"]),
        helper.make_node("ReduceSum", ["input"], ["total"], keepdims=0),
        helper.make_node("Cast", ["total"], ["positive"], to=TensorProto.BOOL),
        helper.make_node(
            "If", ["positive"], ["output"], then_branch=branch("yes"), else_branch=branch("no")
        ),
    ]
    done = finished(tmp_path, model(nodes))
    assert "Identity" not in [node.op_type for node in done.graph.node]
    np.testing.assert_array_equal(outputs(tmp_path), 2 * np.arange(6.0).reshape(2, 3))


def test_paths_of_the_exporting_machine_are_taken_out() -> None:
    node = helper.make_node("Add", ["input", "w"], ["output"], doc_string="/home/alice/net.py")
    node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="/home/alice/net.py:3")
    source = model([node], domain="pkg.unused")
    source.metadata_props.add(key="where", value="/home/alice")
    tidy(source)
    assert b"alice" not in source.SerializeToString()
    assert [entry.domain for entry in source.opset_import] == [""]


def test_another_opset_than_asked_is_an_error(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["input", "w"], ["output"])]
    with pytest.raises(GraphError, match=r"wrote opset \[18\] instead of 13"):
        finished(tmp_path, model(nodes), opset=13)


def test_operators_of_a_library_are_an_error(tmp_path: Path) -> None:
    nodes = [helper.make_node("Secret", ["input"], ["output"], domain="com.library")]
    with pytest.raises(GraphError, match=r"com\.library::Secret"):
        finished(tmp_path, model(nodes, domain="com.library"))


def test_large_weights_go_beside_and_are_readable(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    source = model([helper.make_node("Add", ["input", "big"], ["output"])])
    big = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    source.graph.initializer.append(onnx.numpy_helper.from_array(big, "big"))
    source.graph.initializer.append(
        onnx.numpy_helper.from_array(np.zeros(4096, np.float32), "unused")
    )
    onnx.save(source, folder / "m.onnx")
    finish(folder / "m.onnx", 18, large=True)
    assert sorted(p.name for p in folder.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert (folder / "m.onnx.data").stat().st_mode == (folder / "m.onnx").stat().st_mode
    np.testing.assert_allclose(outputs(tmp_path), np.arange(6.0).reshape(2, 3) + big, rtol=1e-6)
