"""`nasprof export --to`: several formats, a manifest, and refusals before any work."""

import hashlib
import json
import subprocess
import sys

import pytest
import torch
from onnx import TensorProto, helper, save

import nasprof
from nasprof import bundle
from nasprof.converting import to_format
from profiler.core.errors import InputError

MODEL = "reference:mobilenet_v2"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())


def test_the_manifest_says_what_every_file_is(network, tmp_path):
    done = nasprof.export_to(network, ["onnx"], tmp_path / "out", input_shape=(3, 8, 8))
    found = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert found == json.loads(json.dumps(done.to_json()))
    (part,) = found["artifacts"]
    assert len(part["parity"]) == 3
    assert part["versions"].keys() == {"onnx"}
    assert part["seconds"] > 0
    for file in part["files"]:
        content = (tmp_path / "out" / file["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        assert len(content) == file["size_bytes"]


def test_a_bundle_is_replaced_and_other_files_are_not(network, tmp_path):
    folder = tmp_path / "out"
    nasprof.export_to(network, ["onnx"], folder, input_shape=(3, 8, 8))
    nasprof.export_to(network, ["onnx"], folder, batch=2, input_shape=(3, 8, 8))
    assert json.loads((folder / "manifest.json").read_text())["model"]["batch"] == 2
    other = tmp_path / "other"
    other.mkdir()
    (other / "manifest.json").write_text('{"kind": "something else"}')
    with pytest.raises(InputError, match="did not write"):
        nasprof.export_to(network, ["onnx"], other, input_shape=(3, 8, 8))
    assert (other / "manifest.json").read_text() == '{"kind": "something else"}'


def test_a_format_that_gives_nothing_is_told_and_the_others_are_written(tmp_path):
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Det", ["x"], ["y"])], "g", value[:1], value[1:])
    graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 4]))
    graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1]))
    path = tmp_path / "det.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    pytest.importorskip("openvino")
    done = nasprof.export_to(path, ["openvino", "onnx"], tmp_path / "out")
    kinds = {part.format: part.kind for part in done.parts}
    assert kinds == {"openvino": "unsupported", "onnx": ""}
    assert "Det" in done.parts[0].reason
    assert (tmp_path / "out" / done.parts[1].load).is_file()
    assert not (tmp_path / "out" / "openvino-fp32").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "onx", "-o", "{}/new"], "unknown format 'onx'; the formats are: "),
        (["--to", ",", "-o", "{}/new"], "--to ',' names nothing"),
        (["--to", "onnx", "--dynamic-batch", "-o", "{}/new"], "--dynamic-batch has no effect"),
        (["--precision", "fp16", "-o", "{}/new.onnx"], "--precision and --optimize belong to"),
        (["--to", "onnx", "--optimize", "ort-all", "-o", "{}/new"], "take ort-extended"),
        (["--to", "onnx", "-o", "{}/file"], "is not a folder"),
        (["--to", "onnx", "-o", "{}/no/new"], "does not exist"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, arguments, message):
    (tmp_path / "file").touch()
    command = ["-m", "nasprof", "export", MODEL, *(part.format(tmp_path) for part in arguments)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "cache"}


def test_a_format_without_its_converter_is_told_with_the_remedy(network, tmp_path, monkeypatch):
    def missing(name):
        raise bundle.UnavailableError("openvino needs openvino, which is not installed; pip ...")

    monkeypatch.setattr("nasprof.converting._versions", lambda name, *_: missing(name))
    done = nasprof.export_to(network, ["openvino"], tmp_path / "out", input_shape=(3, 8, 8))
    assert done.parts[0].kind == "unavailable"
    assert "pip" in done.lines()[0]


def test_a_network_that_one_format_cannot_take_leaves_the_others(network, tmp_path, monkeypatch):
    def refuse(original, name, precision, calibration):
        if name == "litert":
            raise InputError("torch.export cannot take the module: it is too clever")
        return to_format(original, name, precision, calibration)

    monkeypatch.setattr("nasprof.bundle.to_format", refuse)
    done = nasprof.export_to(network, ["litert", "onnx"], tmp_path / "out", input_shape=(3, 8, 8))
    assert [part.kind for part in done.parts] == ["unsupported", ""]
    assert "too clever" in done.lines()[0]
