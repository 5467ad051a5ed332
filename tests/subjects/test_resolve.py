from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from nasprof import exporting
from nasprof.subjects._subject import Subject
from profiler.core.errors import InputError, ModelError
from profiler.core.plugins import load, names
from profiler.core.tensor import TensorSpec

CODE = """
from torch import nn
class Net(nn.Linear):
    input_shape = (6,)
    def __init__(self):
        super().__init__(6, 2)
def tokens():
    return nn.Embedding(5, 2)
tokens.input_shape = (7,)
tokens.input_dtype = "int64"
def shapeless():
    return nn.Linear(6, 2)
def number():
    return 3
def broken():
    raise ValueError("no such thing\\nsecond line")
def leaves():
    raise SystemExit(3)
made = nn.Linear(6, 2)
made.input_shape = (6,)
constant = 1
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "nets.py"
    path.write_text(CODE)
    return path


def test_every_source_knows_its_own_example() -> None:
    sources = {name: load("nasprof.subjects", name) for name in names("nasprof.subjects")}
    assert {"onnx-file", "python-file", "reference", "space", "timm"} <= set(sources)
    for name, source in sources.items():
        assert [n for n, s in sources.items() if s.claims(source.example)] == [name]


def test_a_search_spaces_candidate_has_one_text() -> None:
    by_index = exporting.resolve("nasbench201:857")
    genes = load("nasprof.spaces", "nasbench201").parse("857")
    text = load("nasprof.spaces", "nasbench201").describe(genes)
    dotted = ".".join(str(gene) for gene in genes)
    assert by_index.text == "nasbench201:857"
    assert by_index.inputs == (TensorSpec("input", "float32", (1, 3, 32, 32)),)
    for other in (f"nasbench201:{text}", f"nasbench201:{dotted}"):
        assert exporting.resolve(other).text == "nasbench201:857"


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("nasbench201:15625", "15625"),
        ("nasbench201:0.1.2", "'0.1.2' are not genes of an architecture of nasbench201"),
        ("nasbench201:0.1.2.3.4.5", "are not genes"),
        ("nasbench202:1", r"unknown subject 'nasbench202:1'; give one like .*reference:resnet18"),
        ("model.pt", "unknown subject 'model.pt'"),
        ("", "unknown subject ''"),
        ("\x1b[31mred", r"unknown subject '.*x1b\[31mred'"),
        ("nowhere.py:make", r"nowhere\.py does not exist"),
        ("nowhere.py", r"names no factory; write nowhere\.py:FACTORY"),
    ],
)
def test_what_is_no_subject_is_refused_in_one_line(reference: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        exporting.resolve(reference)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_factory_declares_its_inputs(file: Path) -> None:
    net = exporting.resolve(f"{file}:Net")
    assert net.inputs == (TensorSpec("input", "float32", (1, 6)),)
    assert isinstance(net.build(0), nn.Linear)
    tokens = exporting.resolve(f"{file}:tokens")
    assert tokens.inputs == (TensorSpec("input", "int64", (1, 7)),)
    made = exporting.resolve(f"{file}:made")
    assert made.build(0) is not made.build(0)
    assert exporting.resolve(f"{file}:shapeless", (9, 6)).inputs[0].shape == (1, 9, 6)


def test_the_reference_does_not_tell_where_the_file_lies(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert exporting.resolve(f"{file}:Net").text == "nets.py:Net"
    monkeypatch.chdir(file.parent.parent)
    assert exporting.resolve(f"{file}:Net").text == f"{file.parent.name}/nets.py:Net"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Nets", r"has no 'Nets'; it defines: Net, tokens, shapeless"),
        ("constant", "has no callable 'constant'"),
        ("shapeless", "give --input-shape, for example 3x224x224"),
    ],
)
def test_a_factory_that_cannot_be_used_is_named(file: Path, name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        exporting.resolve(f"{file}:{name}")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("number", r"nets\.py:number returned int, not a torch\.nn\.Module"),
        ("broken", r"nets\.py:broken failed: ValueError: no such thing$"),
        ("leaves", r"nets\.py:leaves failed: SystemExit: 3"),
    ],
)
def test_a_factory_that_fails_says_how(file: Path, name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        exporting.resolve(f"{file}:{name}", (6,)).build(0)


@pytest.mark.parametrize("code", ["def f(:", "import nothing_of_this_name", "raise SystemExit"])
def test_a_file_that_cannot_be_imported_says_why(tmp_path: Path, code: str) -> None:
    (tmp_path / "bad.py").write_text(code)
    with pytest.raises(InputError, match=r"bad\.py cannot be imported: [A-Z]\w+") as caught:
        exporting.resolve(f"{tmp_path / 'bad.py'}:f")
    assert "\n" not in str(caught.value)


def test_a_directory_is_no_python_file(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(InputError, match="is not a file"):
        exporting.resolve(f"{tmp_path / 'folder.py'}:f")


def test_a_file_may_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "neighbour_blocks.py").write_text("WIDTH = 4")
    (tmp_path / "uses.py").write_text(
        "from torch import nn\nimport neighbour_blocks\n"
        "def make(): return nn.Linear(neighbour_blocks.WIDTH, 2)"
    )
    network = exporting.resolve(f"{tmp_path / 'uses.py'}:make", (4,)).build(0)
    assert network.in_features == 4


def test_a_module_is_a_subject() -> None:
    subject = exporting.resolve(nn.Linear(6, 2), (6,))
    assert (subject.text, subject.inputs[0].shape) == ("Linear", (1, 6))
    two = exporting.subject_of_module(nn.Bilinear(2, 3, 4), [(2,), (3,)])
    assert [(s.name, s.shape) for s in two.inputs] == [("input_0", (1, 2)), ("input_1", (1, 3))]
    with pytest.raises(InputError, match=r"pass input_shape=\(3, 224, 224\)"):
        exporting.resolve(nn.Linear(6, 2))
    with pytest.raises(InputError, match="int is no subject"):
        exporting.resolve(3)
    with pytest.raises(InputError, match="is no shape"):
        exporting.resolve(nn.Linear(6, 2), (0, 6))


def test_a_subject_is_itself_with_other_inputs_if_asked() -> None:
    subject = exporting.resolve("reference:resnet18")
    assert exporting.resolve(subject) is subject
    other = exporting.resolve(subject, (3, 64, 64))
    assert isinstance(other, Subject)
    assert other.inputs[0].shape == (1, 3, 64, 64)


def test_an_onnx_file_is_opened_but_cannot_be_built(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, ["n", 3])],
        [value("y", TensorProto.FLOAT, ["n", 3])],
    )
    onnx.save(helper.make_model(graph, ir_version=8), tmp_path / "m.onnx")
    subject = exporting.resolve(tmp_path / "m.onnx")
    assert subject.path == tmp_path / "m.onnx"
    assert subject.inputs == (TensorSpec("x", "float32", ("n", 3)),)
    with pytest.raises(InputError, match="needs a network that can be built in torch"):
        subject.build(0)


def test_a_missing_or_empty_onnx_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "folder.onnx").mkdir()
    for name in ("none.onnx", "empty.onnx", "folder.onnx"):
        with pytest.raises(ModelError, match=name):
            exporting.resolve(str(tmp_path / name))


def test_timm_builds_a_network_or_names_close_ones() -> None:
    if find_spec("timm") is None:
        pytest.skip("timm is not installed")
    subject = exporting.resolve("timm:test_vit")
    assert subject.inputs[0].shape == (1, 3, 160, 160)
    with torch.no_grad():
        assert subject.build(0).eval()(torch.zeros(1, 3, 160, 160)).shape == (1, 1000)
    with pytest.raises(InputError, match=r"has no model 'resnet17'; close names: .*resnet18"):
        exporting.resolve("timm:resnet17")
    with pytest.raises(InputError, match="has no model"):
        exporting.resolve("timm:hf-hub:timm/resnet18.a1_in1k")


def test_a_missing_library_says_how_to_get_it() -> None:
    code = """
import sys
sys.modules["timm"] = None
from nasprof.subjects.timm import PLUGIN
from profiler.core.errors import UnavailableError
try:
    PLUGIN.resolve("timm:resnet18", None)
except UnavailableError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert 'pip install "nasprof[timm]"' in done.stdout
    assert done.stdout.count("\n") == 1


def test_resolving_a_file_imports_no_torch(tmp_path: Path) -> None:
    code = """
import sys
from nasprof import exporting
from profiler.core.errors import InputError
for text in ("foo", "none.onnx", "nasbench201:857", "reference:resnet18"):
    try:
        exporting.resolve(text)
    except InputError:
        pass
print([name for name in ("torch", "onnx", "onnxruntime") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
