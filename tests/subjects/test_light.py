import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters import random_weights
from nasprof import exporting
from profiler.core.errors import InputError


@pytest.fixture
def source(tmp_path):
    """As the light models are: weights made by ConstantOfShape from shapes that are inputs too."""
    sizes = {"w": [8, 4, 3, 3], "scale": [8], "bias": [8], "mean": [8], "var": [8]}
    fill = helper.make_tensor("v", TensorProto.FLOAT, [1], [0.02])
    weights = [
        helper.make_node("ConstantOfShape", [f"{name}__SHAPE"], [name], value=fill)
        for name in sizes
    ]
    nodes = [
        *weights,
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("BatchNormalization", ["c", "scale", "bias", "mean", "var"], ["y"]),
    ]
    shapes = [
        numpy_helper.from_array(np.array(s, np.int64), f"{n}__SHAPE") for n, s in sizes.items()
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 8, 8]),
        *(helper.make_tensor_value_info(t.name, TensorProto.INT64, t.dims) for t in shapes),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 6, 6])]
    graph = helper.make_graph(nodes, "light", inputs, outputs, shapes)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=3)
    onnx.save(model, tmp_path / "light.onnx")
    return tmp_path / "light.onnx"


def test_every_weight_is_drawn_by_its_role(source, tmp_path):
    random_weights.write(source, tmp_path / "made.onnx")
    model = onnx.load(tmp_path / "made.onnx")
    onnx.checker.check_model(model, full_check=True)
    drawn = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    assert sorted(drawn) == ["bias", "mean", "scale", "var", "w"]
    assert [value.name for value in model.graph.input] == ["x"]
    assert drawn["w"].std() == pytest.approx((2 / 36) ** 0.5, rel=0.15)
    assert (drawn["var"] > 0.7).all()
    assert (np.abs(drawn["scale"] - 1) < 0.3).all()
    assert np.abs(drawn["bias"]).max() < 0.5


def test_a_light_model_is_a_subject_and_the_same_each_time(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "one"))
    first = exporting.export("light:squeezenet", tmp_path / "first.onnx")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "two"))
    second = exporting.export("light:squeezenet", tmp_path / "second.onnx")
    assert first.sha256 == second.sha256
    with pytest.raises(InputError, match="squeezenet"):
        exporting.resolve("light:nothing")
