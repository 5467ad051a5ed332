"""Smaller precisions from end to end: converted in a worker, verified, measured, read back."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from contract_cache import keep_environments
from torch import nn

import nasprof
from exporters.model_file import open_model
from nasprof.converting import Original, to_format
from nasprof.exporting import export
from nasprof.testing import PLAN
from profiler.bench.devices import probe
from profiler.core.errors import InputError, MeasurementError, UnavailableError

SHAPE = (3, 16, 16)


@pytest.fixture(autouse=True)
def short(tmp_path, monkeypatch):
    keep_environments(tmp_path / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("nasprof.api._plan", lambda *_: PLAN)


@pytest.fixture
def net():
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(16, 10))


def ran(found):
    return {place.precision: place.nodes for place in found.attempts[0].placement}


def measured(net, target, folder):
    return nasprof.bench(net, target, input_shape=SHAPE, store=folder / "store.db")


@pytest.mark.parametrize("options", ["", "/calibration=percentile", "/quantization=dynamic"])
def test_onnxruntime_runs_int8_and_says_how_much_of_it(net, tmp_path, options):
    found = measured(net, f"onnxruntime-cpu/int8{options}", tmp_path)
    assert ran(found)["int8"] >= 1
    assert found.output_error.cosine > 0.98
    assert 0 < found.output_error.relative < 0.25


def test_half_on_onnxruntime_is_measured_as_what_it_runs(net, tmp_path):
    found = measured(net, "onnxruntime-cpu/fp16", tmp_path)
    assert sum(ran(found).values()) >= 3
    assert 0 < found.output_error.relative < 1e-2


def test_openvino_runs_int8_or_says_what_it_needs(net, tmp_path):
    pytest.importorskip("openvino")
    if find_spec("nncf") is None:
        with pytest.raises(UnavailableError, match=r"int8 needs nncf.*nasprof\[nncf\]"):
            measured(net, "openvino-cpu/int8", tmp_path)
        pytest.skip("nncf is not installed")
    found = measured(net, "openvino-cpu/int8", tmp_path)
    assert {"i8", "u8"} & ran(found).keys()


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", "/quantization=dynamic"])
@pytest.mark.parametrize("runtime", ["litert-cpu", "executorch-cpu"])
def test_runtimes_with_quantisers_of_their_own_run_int8(net, tmp_path, runtime, options):
    device = probe(runtime)
    if not device.available:
        pytest.skip(f"{runtime}: {device.reason}")
    found = measured(net, f"{runtime}/int8{options}", tmp_path)
    assert ran(found)["int8"] >= 1
    assert 0 < found.output_error.relative < 0.25
    with pytest.raises(MeasurementError, match="by minmax"):
        measured(net, f"{runtime}/int8/calibration=entropy", tmp_path)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("mnn-cpu/int8", "aborts"),
        ("mnn-cpu/fp16", "only the file is smaller"),
        ("ncnn-cpu/int8", "not in the Python package"),
    ],
)
def test_what_does_not_work_is_refused_up_front_with_the_reason(net, tmp_path, target, why):
    if not probe(target.partition("/")[0]).available:
        pytest.skip("the runtime is not installed")
    with pytest.raises(InputError, match=f"{why}.*; it has: fp32"):
        measured(net, target, tmp_path)


def test_the_library_that_quantises_is_part_of_what_an_artifact_is(net):
    model = open_model(export(net, input_shape=SHAPE).path)
    original = Original(model, "net", model.inputs)
    small, whole = (to_format(original, "onnx", precision) for precision in ("int8", "fp32"))
    assert dict(small.versions).keys() & {"onnxruntime", "onnxruntime-gpu"}
    assert dict(whole.versions).keys() == {"onnx"}


def test_a_person_s_data_is_part_of_the_target(net, tmp_path):
    rng = np.random.default_rng(0)
    names = ("a.npz", "b.npz")
    for scale, name in enumerate(names, start=1):
        np.savez(tmp_path / name, input=scale * rng.standard_normal((8, *SHAPE)))
    marks = []
    for name in names:
        (full, small) = nasprof.bench_all(
            [net], ["onnxruntime-cpu", "onnxruntime-cpu/int8"], input_shape=SHAPE,
            calibrate=tmp_path / name, store=tmp_path / "store.db",
        )  # fmt: skip
        assert full.target.options == ()
        marks.append(dict(small.target.options)["data"])
    assert len(set(marks)) == 2
    with pytest.raises(InputError, match="belongs to int8"):
        nasprof.bench_all([net], ["onnxruntime-cpu"], calibrate=tmp_path / "a.npz")
    with pytest.raises(InputError, match="nowhere"):
        nasprof.bench_all([net], ["onnxruntime-cpu/int8"], calibrate="nowhere.npz")


def test_what_a_target_does_not_know_is_refused(net, tmp_path):
    with pytest.raises(MeasurementError, match="unknown quantization"):
        measured(net, "onnxruntime-cpu/int8/quantization=more", tmp_path)
    with pytest.raises(MeasurementError, match="one option"):
        measured(net, "onnxruntime-cpu/quantization=dynamic", tmp_path)


def test_a_bundle_holds_every_precision_with_a_person_s_data(net, tmp_path):
    np.savez(tmp_path / "data.npz", input=np.random.default_rng(0).standard_normal((8, *SHAPE)))
    done = nasprof.export_to(
        net, ["onnx"], tmp_path / "out", precisions=["fp32", "fp16", "int8"],
        calibrate=tmp_path / "data.npz", input_shape=SHAPE,
    )  # fmt: skip
    assert [part.kind for part in done.parts] == ["", "", ""]
    assert "cosine" in done.lines()[-2]
    assert json.loads((tmp_path / "out" / "onnx-int8" / "nodes.json").read_text())["int8"] >= 1


def test_a_broken_variant_is_written_and_marked(net, tmp_path):
    faint = 1e-3 * np.random.default_rng(0).standard_normal((8, *SHAPE))
    np.savez(tmp_path / "data.npz", input=faint)
    done = nasprof.export_to(
        net, ["onnx"], tmp_path / "out", precisions=["int8"],
        calibrate=tmp_path / "data.npz", input_shape=SHAPE,
    )  # fmt: skip
    (part,) = json.loads((tmp_path / "out" / "manifest.json").read_text())["artifacts"]
    assert part["load"] is not None
    assert part["doubts"][0].startswith(("broken", "inexact"))
    assert "outputs differ on 3 seeds" in done.lines()[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--calibrate", "nowhere.npz", "--precision", "int8"], "nowhere.npz"),
        (["--calibration", "best", "--precision", "int8"], "minmax, entropy, percentile"),
        (["--calibrate", "random"], "belong to --precision int8"),
    ],
)
def test_bad_calibration_is_one_line_before_any_work(tmp_path, options, says):
    command = [sys.executable, "-m", "nasprof", "export", "reference:resnet18", "--to", "onnx"]
    done = subprocess.run(
        [*command, *options, "-o", str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert says in done.stderr
    assert not (tmp_path / "out").exists()
