from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from exporters.external_data import location_fault
from exporters.model_file import open_model, read_structure
from profiler.core.errors import ModelError

FLOATS = 6
SIZE = FLOATS * 4


def tensor(name: str = "w", **entries: str) -> onnx.TensorProto:
    made = onnx.TensorProto(
        name=name, dims=[FLOATS], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL
    )
    for key, value in entries.items():
        made.external_data.add(key=key, value=value)
    return made


def save(folder: Path, *tensors: onnx.TensorProto) -> Path:
    shape = helper.make_tensor_value_info("y", TensorProto.FLOAT, [FLOATS])
    names = [made.name for made in tensors]
    graph = helper.make_graph([helper.make_node("Sum", names, ["y"])], "g", [], [shape], tensors)
    return write(folder, helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))


def write(folder: Path, model: onnx.ModelProto) -> Path:
    model.ir_version = 10
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def weights(folder: Path, name: str = "w.bin", count: int = FLOATS) -> Path:
    (folder / name).write_bytes(np.arange(count, dtype=np.float32).tobytes())
    return folder / name


def refused(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        open_model(path)
    assert caught.value.kind == "unsafe_model"
    assert str(path) in str(caught.value)
    return caught.value


def test_the_identity_covers_external_bytes(tmp_path: Path) -> None:
    path = save(tmp_path, tensor(location="w.bin", offset="0", length=str(SIZE)))
    data = weights(tmp_path)
    first = open_model(path)
    assert [(file.location, file.size_bytes) for file in first.external] == [("w.bin", SIZE)]
    assert first.unchanged()
    data.write_bytes(bytes(SIZE))
    assert not first.unchanged()
    assert open_model(path).sha256 != first.sha256


def test_bytes_outside_every_range_do_not_change_the_identity(tmp_path: Path) -> None:
    path = save(tmp_path, tensor(location="w.bin", offset="0", length=str(SIZE)))
    weights(tmp_path)
    first = open_model(path).sha256
    weights(tmp_path, count=FLOATS + 5)
    assert open_model(path).sha256 == first


def test_missing_weights_matter_only_to_those_who_need_them(tmp_path: Path) -> None:
    path = save(tmp_path, tensor(location="gone.bin", length=str(SIZE)))
    assert open_model(path, need_weights=False).external[0].size_bytes is None
    assert read_structure(path).graph.initializers[0].external is not None
    with pytest.raises(ModelError, match=r"gone\.bin"):
        open_model(path)


def test_weights_may_be_shared_and_lie_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    weights(tmp_path / "data")
    entries = {"location": "data/w.bin", "length": str(SIZE)}
    path = save(tmp_path, tensor("a", **entries), tensor("b", **entries))
    assert len(open_model(path).external) == 1


@pytest.mark.parametrize(
    "location",
    [
        "../secret.bin", "a/../../secret.bin", "junk/../../secret.bin", "..", ".", "",
        "/etc/passwd", "//etc/passwd", "C:\\secret.bin", "C:secret.bin", "a\\..\\secret.bin",
        "file:///etc/passwd", "w.bin\0", "a//w.bin", "./../secret.bin",
        "*/_ORT_MEM_ADDR_/*",
    ],
)  # fmt: skip
def test_refuses_paths_that_may_leave_the_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(b"top secret" * 5)
    folder = tmp_path / "inside"
    folder.mkdir()
    error = refused(save(folder, tensor(location=location, length=str(SIZE))))
    assert "top secret" not in str(error)


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b.bin", "/", "..."]), max_size=6))
def test_an_accepted_path_stays_inside(parts: list[str]) -> None:
    location = "/".join(parts)
    if location_fault(location) is None:
        assert os.path.normpath(os.path.join("/root/of/model", location)).startswith(
            "/root/of/model/"
        )


def _symlink(folder: Path) -> None:
    weights(folder, "real.bin")
    (folder / "w.bin").symlink_to("real.bin")


def _hard_link(folder: Path) -> None:
    os.link(weights(folder, "real.bin"), folder / "w.bin")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "w.bin")


def _folder(folder: Path) -> None:
    (folder / "w.bin").mkdir()


def _short(folder: Path) -> None:
    weights(folder, count=FLOATS - 1)


@pytest.mark.parametrize("lay", [_symlink, _hard_link, _pipe, _folder, _short])
def test_refuses_files_that_are_not_plain_and_whole(
    tmp_path: Path, lay: Callable[[Path], None]
) -> None:
    lay(tmp_path)
    refused(save(tmp_path, tensor(location="w.bin", length=str(SIZE))))


def test_refuses_a_linked_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    weights(tmp_path / "real")
    (tmp_path / "data").symlink_to("real")
    refused(save(tmp_path, tensor(location="data/w.bin", length=str(SIZE))))


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        ("-8", "24"), ("0", "-24"), ("0", "25"), ("0", "0"), ("8", "24"), ("0", str(2**40)),
        (str(2**63), "24"), (str(2**63 - 1), "24"), ("+0", "24"), ("0x0", "24"), (" 0", "24"),
        ("0", "2_4"), ("9" * 5000, "24"), ("٠", "24"),
    ],
)  # fmt: skip
def test_refuses_ranges_that_no_file_has(tmp_path: Path, offset: str, length: str) -> None:
    weights(tmp_path)
    refused(save(tmp_path, tensor(location="w.bin", offset=offset, length=length)))


@given(st.integers(-(2**64), 2**64), st.integers(-(2**64), 2**64))
def test_only_a_range_inside_the_file_is_read(
    tmp_path_factory: pytest.TempPathFactory, offset: int, length: int
) -> None:
    folder = tmp_path_factory.mktemp("m")
    weights(folder, count=2 * FLOATS)
    path = save(folder, tensor(location="w.bin", offset=str(offset), length=str(length)))
    if 0 <= offset <= SIZE and length == SIZE:
        open_model(path)
    else:
        refused(path)


def test_refuses_ranges_that_overlap(tmp_path: Path) -> None:
    weights(tmp_path, count=2 * FLOATS)
    first = tensor("a", location="w.bin", offset="0", length=str(SIZE))
    second = tensor("b", location="w.bin", offset="4", length=str(SIZE))
    refused(save(tmp_path, first, second))


@pytest.mark.parametrize("key", ["__class__", "basepath", "prepacked", ""])
def test_refuses_unknown_keys(tmp_path: Path, key: str) -> None:
    weights(tmp_path)
    refused(save(tmp_path, tensor(**{"location": "w.bin", key: "1"})))


def test_refuses_a_key_given_twice(tmp_path: Path) -> None:
    twice = tensor(location="w.bin", length=str(SIZE))
    twice.external_data.add(key="location", value="../w.bin")
    refused(save(tmp_path, twice))


def _in_sparse(model: onnx.ModelProto, bad: onnx.TensorProto) -> None:
    indices = numpy_helper.from_array(np.arange(FLOATS), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(bad, indices, [99]))


def _in_attribute(model: onnx.ModelProto, bad: onnx.TensorProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=bad))


def _in_tensor_list(model: onnx.ModelProto, bad: onnx.TensorProto) -> None:
    model.graph.node.append(helper.make_node("Custom", [], ["c"], domain="own", values=[bad]))


def _in_sparse_attribute(model: onnx.ModelProto, bad: onnx.TensorProto) -> None:
    indices = numpy_helper.from_array(np.arange(FLOATS), "i")
    sparse = helper.make_sparse_tensor(bad, indices, [99])
    model.graph.node.append(helper.make_node("Constant", [], ["c"], sparse_value=sparse))


def _in_subgraph(model: onnx.ModelProto, bad: onnx.TensorProto) -> None:
    shape = helper.make_tensor_value_info("w", TensorProto.FLOAT, [FLOATS])
    inner = helper.make_graph([], "inner", [], [shape], [bad])
    outer = helper.make_graph(
        [helper.make_node("If", ["k"], ["c"], then_branch=inner, else_branch=inner)],
        "outer", [], [shape],
    )  # fmt: skip
    node = helper.make_node("If", ["k"], ["d"], then_branch=outer, else_branch=outer)
    model.graph.node.append(node)


def _in_function(model: onnx.ModelProto, bad: onnx.TensorProto) -> None:
    node = helper.make_node("Constant", [], ["c"], value=bad)
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("own", "F", [], ["c"], [node], opsets))


def _in_training(model: onnx.ModelProto, bad: onnx.TensorProto) -> None:
    model.training_info.add().algorithm.initializer.append(bad)


@pytest.mark.parametrize(
    "hide",
    [
        _in_sparse, _in_attribute, _in_tensor_list, _in_sparse_attribute, _in_subgraph,
        _in_function, _in_training,
    ],
)  # fmt: skip
def test_finds_unsafe_data_wherever_it_hides(
    tmp_path: Path, hide: Callable[[onnx.ModelProto, onnx.TensorProto], None]
) -> None:
    weights(tmp_path)
    safe = tensor(location="w.bin", length=str(SIZE))
    model = onnx.load(save(tmp_path, safe), load_external_data=False)
    hide(model, tensor("bad", location="../w.bin", length=str(SIZE)))
    refused(write(tmp_path, model))
