from __future__ import annotations

import hashlib
import os
import random
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters.model_file import open_model, read_structure
from exporters.onnx_wire import encode_varint
from profiler.core.errors import ModelError
from profiler.core.tensor import TensorSpec


def linear(weights: int = 12) -> onnx.ModelProto:
    weight = numpy_helper.from_array(np.ones((3, weights), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "main",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, weights]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", weights])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    helper.set_model_props(model, {"subject": "linear"})
    return model


def save(path: Path, model: onnx.ModelProto) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def refused(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        open_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def test_says_what_the_model_takes_gives_and_is(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", linear())
    model = open_model(path)
    assert model.inputs == (TensorSpec("x", "float32", ("batch", 3)),)
    assert model.outputs == (TensorSpec("y", "float32", ("batch", 12)),)
    assert (model.ir_version, model.opsets) == (10, (("", 18),))
    assert model.metadata == (("subject", "linear"),)
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert model.size_bytes == path.stat().st_size


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"PK\x03\x04rest", b"no model\n" * 9])
def test_refuses_what_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert refused(path).kind == "invalid_model"


def test_refuses_random_bytes(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    for seed in range(200):
        path.write_bytes(random.Random(seed).randbytes(300))
        assert refused(path).kind == "invalid_model"


def test_refuses_a_missing_file_a_folder_and_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    for path in (tmp_path / "none.onnx", tmp_path, tmp_path / "pipe.onnx"):
        assert refused(path).kind == "invalid_model"


def test_refuses_every_truncation(tmp_path: Path) -> None:
    model = linear()
    del model.metadata_props[:]
    whole = model.SerializeToString()
    path = tmp_path / "m.onnx"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert refused(path).kind == "invalid_model"


def test_changed_bytes_give_a_model_or_a_clear_refusal(tmp_path: Path) -> None:
    whole = linear().SerializeToString()
    path = tmp_path / "m.onnx"
    for seed in range(400):
        generator = random.Random(seed)
        changed = bytearray(whole)
        for _ in range(3):
            changed[generator.randrange(len(changed))] = generator.randrange(256)
        path.write_bytes(changed)
        with suppress(ModelError):
            open_model(path)


@pytest.mark.parametrize(("ir", "opset"), [(99, 18), (10, 999)])
def test_refuses_versions_newer_than_onnx_knows(tmp_path: Path, ir: int, opset: int) -> None:
    model = linear()
    model.ir_version = ir
    model.opset_import[0].version = opset
    assert refused(save(tmp_path / "m.onnx", model)).kind == "unsupported"


def test_knows_the_newest_versions_of_the_installed_onnx(tmp_path: Path) -> None:
    model = linear()
    model.ir_version = onnx.IR_VERSION
    model.opset_import[0].version = onnx.defs.onnx_opset_version()
    assert open_model(save(tmp_path / "m.onnx", model)).ir_version == onnx.IR_VERSION


@pytest.mark.parametrize("dims", [[-1, 3], [2**62, 2**62], [2**40, 3], [4, 3]])
def test_refuses_constants_whose_size_is_not_what_they_claim(
    tmp_path: Path, dims: list[int]
) -> None:
    model = linear()
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(dims)
    assert refused(save(tmp_path / "m.onnx", model)).kind == "invalid_model"


def test_refuses_a_large_constant_of_the_wrong_size(tmp_path: Path) -> None:
    model = linear(weights=20_000)
    model.graph.initializer[0].dims[1] += 1
    assert refused(save(tmp_path / "m.onnx", model)).kind == "invalid_model"


def test_refuses_deep_nesting_with_little_memory(tmp_path: Path) -> None:
    def wrap(tag: int, inner: bytes) -> bytes:
        return encode_varint(tag << 3 | 2) + encode_varint(len(inner)) + inner

    graph = wrap(2, b"deepest")
    for _ in range(1000):
        graph = wrap(1, wrap(5, wrap(6, graph)))
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x0a" + wrap(8, b"\x10\x12") + wrap(7, graph + wrap(12, b"\x0a\x01y")))
    assert refused(path).kind == "invalid_model"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4 * 2**20


def test_keeps_small_constants_and_leaves_weights(tmp_path: Path) -> None:
    small = read_structure(save(tmp_path / "small.onnx", linear()))
    large = read_structure(save(tmp_path / "large.onnx", linear(weights=100_000)))
    assert small.graph.initializers[0].raw == np.ones((3, 12), np.float32).tobytes()
    weight = large.graph.initializers[0]
    assert (weight.raw, weight.dims, weight.size_bytes) == (None, (3, 100_000), 1_200_000)
    assert weight.payload is not None
    content = (tmp_path / "large.onnx").read_bytes()
    begin = weight.payload.offset
    assert content[begin : begin + weight.payload.length] == np.ones(300_000, np.float32).tobytes()


def _light_models() -> list[Path]:
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    return sorted(folder.glob("*.onnx"))


@pytest.mark.parametrize("path", _light_models(), ids=lambda path: path.stem)
def test_reads_what_protobuf_reads(path: Path) -> None:
    mine, theirs = read_structure(path), onnx.load(path, load_external_data=False)
    assert [n.op_type for n in mine.graph.nodes] == [n.op_type for n in theirs.graph.node]
    assert [n.inputs for n in mine.graph.nodes] == [tuple(n.input) for n in theirs.graph.node]
    for node, other in zip(mine.graph.nodes, theirs.graph.node, strict=True):
        for attribute in other.attribute:
            value = helper.get_attribute_value(attribute)
            if isinstance(value, bytes):
                assert node.attributes[attribute.name] == value.decode()
            elif isinstance(value, list):
                assert node.attributes[attribute.name] == tuple(value)
            elif isinstance(value, int | float):
                assert node.attributes[attribute.name] == value


def test_finds_every_tensor_that_protobuf_finds(tmp_path: Path) -> None:
    model = linear()
    constant = numpy_helper.from_array(np.zeros(4, np.float32), "c")
    other = numpy_helper.from_array(np.ones(4, np.float32), "c")
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["b"], value=constant)],
        "branch",
        [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, [4])],
        [constant],
    )
    branch.sparse_initializer.append(
        helper.make_sparse_tensor(constant, numpy_helper.from_array(np.arange(4), "i"), [9])
    )
    empty = helper.make_graph([], "empty", [], branch.output, [other])
    model.graph.node.append(
        helper.make_node("If", ["k"], ["z"], then_branch=branch, else_branch=empty)
    )
    inner = helper.make_node("Constant", [], ["f"], value=other)
    model.functions.append(
        helper.make_function("own", "F", [], ["f"], [inner], [helper.make_opsetid("", 18)])
    )
    default = helper.make_attribute("default", constant)
    model.functions[0].attribute_proto.append(default)
    model.training_info.add().algorithm.CopyFrom(empty)
    found = read_structure(save(tmp_path / "m.onnx", model)).tensors
    assert len(found) == _count_tensors(model)


def _count_tensors(message: object) -> int:
    if isinstance(message, onnx.TensorProto):
        return 1
    total = 0
    for field, value in message.ListFields():  # type: ignore[attr-defined]
        if field.message_type is not None:
            items = value if field.is_repeated else [value]
            total += sum(_count_tensors(item) for item in items)
    return total


@pytest.mark.slow
def test_a_model_of_three_gib_never_enters_memory(tmp_path: Path) -> None:
    length = 3 * 2**30
    tensor = b"\x08" + encode_varint(length // 4) + b"\x10\x01\x42\x01w\x4a" + encode_varint(length)
    size = len(tensor) + length
    rest = b"\x0a\x14\x0a\x01x\x0a\x01w\x12\x01y\x22\x03Mul" + b"\x1a\x01n"
    rest = b"\x0a" + encode_varint(len(rest) - 2) + rest[2:] + b"\x62\x03\x0a\x01y"
    graph = encode_varint(len(rest) + 1 + len(encode_varint(size)) + size)
    head = b"\x08\x08\x42\x02\x10\x12\x3a" + graph + rest + b"\x2a" + encode_varint(size) + tensor
    path = tmp_path / "large.onnx"
    path.write_bytes(head)
    os.truncate(path, len(head) + length)
    code = (
        "import sys; from pathlib import Path;"
        "from exporters.model_file import open_model, read_structure;"
        "path = Path(sys.argv[1]); print(read_structure(path).graph.initializers[0].elements);"
        "print(open_model(path).size_bytes);"
        "from profiler.cost.count import count_file; count_file(path);"
        # Not from getrusage, which remembers the process that this one was forked from.
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, cwd=root
    )
    elements, total, peak_kib = map(int, run.stdout.split())
    assert (elements, total) == (length // 4, len(head) + length)
    assert peak_kib < 200 * 1024
