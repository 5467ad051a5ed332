"""Graphs optimised before a runtime gets them: fewer nodes, the same outputs, portable."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters.model_file import open_model
from exporters.optimize import LEVELS, NONE, known_level, level_of, optimise
from profiler.core.errors import InputError, ModelError
from profiler.core.target import Target


@pytest.fixture
def source(tmp_path):
    """A convolution with batch normalisation and Gelu spelled out, and an addition of constants."""
    rng = np.random.default_rng(0)
    tensors = {
        "w": rng.standard_normal((4, 3, 3, 3)), "scale": rng.uniform(0.5, 1.5, 4),
        "bias": rng.standard_normal(4), "mean": rng.standard_normal(4),
        "var": rng.uniform(0.5, 1.5, 4), "a": rng.standard_normal(1), "b": rng.standard_normal(1),
        "root": np.array(2**0.5), "one": np.array(1.0), "half": np.array(0.5),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("BatchNormalization", ["c", "scale", "bias", "mean", "var"], ["n"]),
        helper.make_node("Add", ["a", "b"], ["ab"]),
        helper.make_node("Add", ["n", "ab"], ["s"]),
        helper.make_node("Div", ["s", "root"], ["d"]),
        helper.make_node("Erf", ["d"], ["e"]),
        helper.make_node("Add", ["e", "one"], ["o"]),
        helper.make_node("Mul", ["s", "o"], ["m"]),
        helper.make_node("Mul", ["m", "half"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 6, 6])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in tensors.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    model.metadata_props.add(key="nasprof.subject", value="net")
    onnx.save(model, tmp_path / "source.onnx")
    return tmp_path / "source.onnx"


def outputs(path):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("level", [level for level in LEVELS if level != NONE])
def test_there_are_fewer_nodes_and_the_same_outputs(source, tmp_path, level):
    if level == "onnxslim":
        pytest.importorskip("onnxslim")
    before, after = optimise(source, tmp_path / "made.onnx", level)
    assert (before, after) == (9, len(onnx.load(tmp_path / "made.onnx").graph.node))
    assert after < before
    np.testing.assert_allclose(outputs(tmp_path / "made.onnx"), outputs(source), atol=1e-5)
    metadata = dict(open_model(tmp_path / "made.onnx").metadata)
    assert metadata["nasprof.subject"] == "net"
    assert metadata["nasprof.optimized"] == level


def test_only_extended_writes_operators_that_are_onnxruntimes_own(source, tmp_path):
    optimise(source, tmp_path / "basic.onnx", "ort-basic")
    optimise(source, tmp_path / "extended.onnx", "ort-extended")
    basic, extended = (
        {node.op_type for node in onnx.load(tmp_path / f"{name}.onnx").graph.node if node.domain}
        for name in ("basic", "extended")
    )
    assert basic == set()
    assert extended


def test_what_an_optimiser_gives_up_names_it(tmp_path):
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in "xy"]
    node = helper.make_node("FooBar", ["x"], ["y"], domain="my.domain")
    graph = helper.make_graph([node], "g", value[:1], value[1:])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("my.domain", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "a.onnx")
    with pytest.raises(ModelError, match=r"ort-basic gives it up: .*FooBar") as caught:
        optimise(tmp_path / "a.onnx", tmp_path / "b.onnx", "ort-basic")
    assert caught.value.kind == "unsupported"


def test_levels_are_words_and_what_fits_one_machine_only_is_refused():
    assert level_of(Target("onnxruntime-cpu")) == NONE
    assert level_of(Target("onnxruntime-cpu", options=(("optimize", "ort-basic"),))) == "ort-basic"
    with pytest.raises(InputError, match="none, onnxslim, ort-basic, ort-extended"):
        known_level("much")
    with pytest.raises(InputError, match=r"this machine's processor .* take ort-extended"):
        known_level("ort-all")
