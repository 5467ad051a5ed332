from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from torch import nn

from exporters.model_file import open_model
from nasprof import exporting
from profiler.core.errors import InputError, ModelError
from profiler.worker.run import run_model


class Net(nn.Module):
    input_shape = (3, 8, 8)

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.norm = nn.BatchNorm2d(width)
        self.scale = 2.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.norm(self.conv(x)) * self.scale
        return out


def net(seed: int = 0, scale: float = 2.0) -> Net:
    torch.manual_seed(seed)
    made = Net()
    made.scale = scale
    return made


def test_a_search_spaces_candidate_is_exported_once(tmp_path: Path) -> None:
    first = exporting.export("nasbench201:6", cache_dir=tmp_path / "cache")
    again = exporting.export("nasbench201:6", cache_dir=tmp_path / "cache")
    assert (first.cached, again.cached) == (False, True)
    assert (first.path, first.sha256, first.parity) == (again.path, again.sha256, again.parity)
    opened = open_model(first.path)
    assert opened.sha256 == first.sha256
    facts = dict(opened.metadata)
    assert facts["nasprof.subject"] == "nasbench201:6"
    assert first.params == int(facts["nasprof.params"])
    assert len(first.parity) == 3
    assert max(check.relative for check in first.parity) < 1e-4
    assert json.loads(json.dumps(first.to_json()))["batch"] == 1
    assert "nasbench201:6, opset 18, batch 1" in first.lines()[0]


def test_what_changes_the_file_is_part_of_the_key(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    paths = {
        exporting.export(module, cache_dir=cache, **options).path
        for module, options in (
            (net(), {}),
            (net(seed=1), {}),
            (net(scale=3.0), {}),
            (net(), {"batch": 2}),
            (net(), {"opset": 13}),
            (net(), {"seed": 1}),
            (net(), {"input_shape": (3, 9, 9)}),
            (net(), {"dynamic_batch": True}),
        )
    }
    assert len(paths) == 8
    assert exporting.export(net(), cache_dir=cache).cached


def test_a_damaged_entry_is_made_again(tmp_path: Path) -> None:
    first = exporting.export(net(), cache_dir=tmp_path)
    good = first.path.read_bytes()
    bad = bytearray(good)
    bad[len(bad) // 3] ^= 255
    first.path.write_bytes(bad)
    again = exporting.export(net(), cache_dir=tmp_path)
    assert not again.cached
    assert again.path.read_bytes() == good


def test_the_output_is_the_cached_file(tmp_path: Path) -> None:
    out = tmp_path / "net.onnx"
    done = exporting.export(net(), out, cache_dir=tmp_path / "cache")
    again = exporting.export(net(), out, cache_dir=tmp_path / "cache")
    assert (done.path, done.cached, again.cached) == (out, False, True)
    assert open_model(out).sha256 == done.sha256 == again.sha256
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "net.onnx"]


def test_an_output_is_written_where_no_cache_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = tmp_path / "file" / "cache"
    done = exporting.export(net(), tmp_path / "net.onnx", cache_dir=cache)
    assert done.path.exists()
    with pytest.raises(InputError, match="cannot be written; name an output file"):
        exporting.export(net(), cache_dir=cache)


def test_a_bad_output_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_text("precious")
    for name, says in ((".", "is a directory"), ("mine.onnx", "was not written by nasprof")):
        with pytest.raises(InputError, match=says):
            exporting.export(net(), tmp_path / name, cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    exporting.export(net(), tmp_path / "mine.onnx", force=True, cache_dir=tmp_path / "cache")


def test_the_exported_file_computes_what_the_module_computes(tmp_path: Path) -> None:
    module = net().train()
    for _ in range(3):
        module(torch.randn(4, 3, 8, 8))  # trained: its statistics must be kept
    before = {key: value.clone() for key, value in module.state_dict().items()}
    done = exporting.export(module, cache_dir=tmp_path)
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    (got,) = run_model(done.path, [{"input": x.numpy()}])
    assert module.training
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    with torch.no_grad():
        expected = module.eval()(x).numpy()
    assert np.abs(got["output"] - expected).max() < 1e-5


def test_weights_are_loaded_and_never_recalibrated(tmp_path: Path) -> None:
    state = net(seed=9).state_dict()
    save_file(state, tmp_path / "w.safetensors")
    done = exporting.export(net(), weights=tmp_path / "w.safetensors", cache_dir=tmp_path / "c")
    x = torch.ones(1, 3, 8, 8)
    (got,) = run_model(done.path, [{"input": x.numpy()}])
    with torch.no_grad():
        expected = net(seed=9).eval()(x).numpy()
    assert np.abs(got["output"] - expected).max() < 1e-5
    assert "nasprof.weights" in dict(open_model(done.path).metadata)
    del state["conv.bias"]
    save_file(state, tmp_path / "less.safetensors")
    with pytest.raises(InputError, match=r"less\.safetensors.* 1 missing \(conv\.bias\)"):
        exporting.export(net(), weights=tmp_path / "less.safetensors", cache_dir=tmp_path / "c")


def net_file(folder: Path, factor: int) -> str:
    """A file with a network that draws its weights."""
    (folder / "net_of_mine.py").write_text(
        "from torch import nn\n"
        "class Mine(nn.Linear):\n"
        "    input_shape = (6,)\n"
        "    def __init__(self):\n"
        "        super().__init__(6, 2)\n"
        f"    def forward(self, x): return {factor} * super().forward(x)\n"
    )
    return f"{folder / 'net_of_mine.py'}:Mine"


def test_the_seed_draws_the_weights_and_leaves_the_callers_random_state(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    hashes = [
        exporting.export(net_file(tmp_path, 2), seed=seed, cache_dir=tmp_path / str(n)).sha256
        for n, seed in enumerate((0, 0, 1))
    ]
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == threads
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_code_change_is_seen(tmp_path: Path) -> None:
    one = exporting.export(net_file(tmp_path, 2), cache_dir=tmp_path / "cache")
    two = exporting.export(net_file(tmp_path, 3), cache_dir=tmp_path / "cache")
    assert one.sha256 != two.sha256
    assert exporting.export(net_file(tmp_path, 3), cache_dir=tmp_path / "cache").cached


def test_what_cannot_be_exported_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    class Choosing(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(InputError, match=r"Choosing: the module cannot be exported; torchscript: "):
        exporting.export(
            Choosing(), tmp_path / "o.onnx", exporter="torchscript", cache_dir=tmp_path / "cache"
        )
    assert [p.name for p in tmp_path.rglob("*")] == ["cache"]


def test_processes_that_export_the_same_agree(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nasprof import exporting; "
        "done = exporting.export(sys.argv[1], cache_dir=Path(sys.argv[2])); "
        "print(done.path, done.sha256)"
    )
    reference, cache = net_file(tmp_path, 2), tmp_path / "cache"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, reference, str(cache)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )
        for _ in range(2)
    ]  # fmt: skip
    said = {process.communicate()[0] for process in running}
    assert len(said) == 1
    path, sha256 = said.pop().split()
    assert open_model(Path(path)).sha256 == sha256
    assert [place.name for place in cache.iterdir()] == [Path(path).parent.name]


def stranger(path: Path, batch: int | str = 2, opset: int = 11) -> Path:
    """A model of somebody else, with its weight among the inputs."""
    weight = onnx.numpy_helper.from_array(np.eye(3, 4, dtype=np.float32), "w")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Relu", ["m"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, [batch, 3]), value("w", TensorProto.FLOAT, [3, 4])],
        [value("y", TensorProto.FLOAT, [batch, 4])],
        [weight],
    )
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=6), path)
    return path


def test_an_onnx_file_is_copied_in_normal_form(tmp_path: Path) -> None:
    source, out = stranger(tmp_path / "theirs.onnx"), tmp_path / "ours.onnx"
    done = exporting.export(source, out, cache_dir=tmp_path / "cache")
    opened = open_model(out)
    assert dict(opened.opsets) == {"": 11}
    assert [spec.name for spec in opened.inputs] == ["x"]
    assert dict(opened.metadata)["nasprof.subject"] == "theirs.onnx"
    assert {asdict(check)["relative"] for check in done.parity} == {0.0}
    assert (done.opset, done.batch, done.params, done.exporter) == (11, 2, None, "copy")
    assert [v.name for v in onnx.load(out).graph.value_info] == ["m"]
    assert exporting.export(source, out, cache_dir=tmp_path / "cache").cached


def test_a_copy_of_an_export_keeps_what_it_says_of_itself(tmp_path: Path) -> None:
    first = exporting.export(net(), tmp_path / "a.onnx", cache_dir=tmp_path / "cache")
    copied = exporting.export(tmp_path / "a.onnx", tmp_path / "b.onnx", cache_dir=tmp_path / "c")
    facts = dict(open_model(tmp_path / "b.onnx").metadata)
    assert copied.params == first.params
    assert facts["nasprof.subject"] == "Net"
    onnx.checker.check_model(onnx.load(tmp_path / "b.onnx"))


def test_options_that_would_change_an_onnx_file_are_refused(tmp_path: Path) -> None:
    source = stranger(tmp_path / "m.onnx")
    cases = (
        ({"batch": 4}, "fixed batch of 2, not 4"),
        ({"dynamic_batch": True}, "has a fixed batch"),
        ({"opset": 18}, "has opset 11; a copy keeps it"),
        ({"weights": tmp_path / "w.pt"}, "keeps its weights"),
        ({"exporter": "dynamo"}, "is ONNX already"),
    )
    for options, says in cases:
        with pytest.raises(InputError, match=says):
            exporting.export(source, cache_dir=tmp_path / "cache", **options)
    assert not list((tmp_path / "cache").glob("*"))


def test_a_dynamic_batch_of_an_onnx_file_stays_dynamic(tmp_path: Path) -> None:
    source = stranger(tmp_path / "m.onnx", batch="n")
    done = exporting.export(source, batch=3, cache_dir=tmp_path / "cache")
    assert done.batch is None
    assert {check.batch for check in done.parity} == {3}


def test_an_invalid_onnx_file_is_refused_in_a_worker(tmp_path: Path) -> None:
    model = onnx.load(stranger(tmp_path / "m.onnx"))
    model.graph.node[0].input[0] = "nobody"
    onnx.save(model, tmp_path / "bad.onnx")
    with pytest.raises(ModelError, match=r"bad\.onnx") as caught:
        exporting.export(tmp_path / "bad.onnx", tmp_path / "o.onnx", cache_dir=tmp_path / "c")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "o.onnx").exists()
    assert os.listdir(tmp_path / "c") == []
