"""Targets on an NVIDIA GPU: measured where there is one, plainly refused elsewhere."""

import pytest

import nasprof
from profiler.bench.devices import devices, probe
from profiler.core.errors import UnavailableError

GPU_TARGETS = ("onnxruntime-cuda", "onnxruntime-tensorrt", "torch-cuda")


def require(target):
    found = probe(target)
    if not found.available:
        pytest.skip(f"{target}: {found.reason}")


@pytest.mark.gpu
@pytest.mark.parametrize("target", GPU_TARGETS)
def test_a_gpu_target_runs_on_the_gpu_and_agrees_with_the_reference(target, tmp_path):
    require(target)
    measured = nasprof.bench(
        "reference:resnet18", target=target, quick=True, store=tmp_path / "store.db"
    )
    assert measured.attempts[0].placement[0].device == "cuda"
    assert measured.output_error is not None
    assert measured.latency.median_ns > 0


@pytest.mark.parametrize("target", GPU_TARGETS)
def test_without_a_gpu_the_target_is_refused_plainly(target, tmp_path):
    if probe(target).available:
        pytest.skip(f"{target} is available on this machine")
    with pytest.raises(UnavailableError, match=rf"{target} cannot be used here"):
        nasprof.bench("reference:resnet18", target=target, store=tmp_path / "store.db")


def test_every_runtime_is_ready_or_says_what_to_do():
    for found in devices():
        assert found.available or (found.reason and found.remedy)
