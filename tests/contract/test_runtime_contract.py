"""What every runtime plug-in must keep; a new file in the folder is tested without a new test."""

import pytest
import torch
from contract_cache import keep_environments
from torch import nn

from exporters.model_file import open_model
from nasprof.exporting import export, resolve
from nasprof.measuring import Sizes, converted
from nasprof.testing import check_measures, check_names_the_operator, check_refuses
from profiler.bench.attempt import Work
from profiler.bench.devices import RUNTIMES, probe
from profiler.bench.shapes import bind_inputs
from profiler.core import plugins
from profiler.core.kernels import Recording
from profiler.core.plain import from_plain, to_plain
from profiler.core.target import Target
from profiler.worker.classify import result_of
from profiler.worker.launch import Job, launch

BATCH = 2


@pytest.fixture(scope="module", params=plugins.names(RUNTIMES))
def runtime(request):
    found = probe(request.param)
    if not found.available:
        assert found.reason
        assert found.remedy
        pytest.skip(f"{request.param}: {found.reason}")
    return request.param


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    keep_environments(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize("threads", [1, 2])
def test_it_measures_what_was_asked_and_says_what_ran(runtime, tmp_path, threads):
    check_measures(runtime, tmp_path, threads)


def test_what_says_that_it_profiles_does(runtime, tmp_path):
    if not probe(runtime).profiles:
        pytest.skip(f"{runtime} has no profile by operator")
    torch.manual_seed(0)
    network = resolve(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()), (3, 16, 16))
    model = open_model(export(network, tmp_path / "net.onnx", batch=BATCH).path)
    inputs = bind_inputs(model.inputs, {}, None)
    work = converted(Work(model, "net", Target(runtime), inputs, None), network, Sizes(BATCH), 0)
    arguments = {
        "model": str(work.artifact or model.path), "target": to_plain(work.target),
        "inputs": to_plain(inputs), "seed": 0,
    }  # fmt: skip
    result, problem = result_of(launch(Job("profile", arguments)))
    assert problem is None, problem
    found = from_plain(Recording, result)
    assert any("Conv" in entry.kernel.op_type for entry in found.kernels)
    assert all(len(entry.times_ns) == len(found.profiled_ns) for entry in found.kernels)
    short, long = sorted(found.chains, key=lambda chain: chain.nodes)
    assert 0 < short.kernels_ns < long.kernels_ns


def test_it_refuses_options_and_precisions_that_it_does_not_know(runtime, tmp_path):
    check_refuses(runtime, tmp_path)


def test_a_model_that_it_cannot_run_is_a_failure_that_names_the_operator(runtime, tmp_path):
    check_names_the_operator(runtime, tmp_path)
