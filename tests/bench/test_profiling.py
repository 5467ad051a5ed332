import pytest
from torch import nn

import nasprof
from profiler.core.errors import InputError
from profiler.core.outcome import Measurement
from reports.profile_text import profile_row, profile_table


@pytest.fixture(scope="module")
def profiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("profile")
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, groups=16),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10), nn.Softmax(1),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        return nasprof.profile(
            network, input_shape=(3, 32, 32), quick=True, store=folder / "store.db"
        )


def test_the_operators_add_up_to_the_latency_measured_without_the_profiler(profiled):
    assert isinstance(profiled.measurement, Measurement)
    found = profiled.profile
    assert found.latency_ns == profiled.measurement.latency.median_ns
    assert sum(operator.time_ns for operator in found.operators) == pytest.approx(found.latency_ns)
    assert all(operator.time_ns >= 0 for operator in found.operators)
    assert found.cost_ns >= 0
    assert found.runs >= 12


def test_every_mac_is_in_an_operator_with_its_module(profiled):
    found = profiled.profile
    assert found.missing_macs == 0
    macs = {operator.module: operator.macs for operator in found.operators if operator.macs}
    assert macs == {"0": 3 * 9 * 16 * 32 * 32, "2": 9 * 16 * 30 * 30, "5": 160}
    (depthwise,) = [operator for operator in found.operators if operator.module == "2"]
    assert depthwise.what == "Conv 3x3 depthwise"


def test_table_and_json_say_what_was_done(profiled):
    text = profile_table(profiled.profile, top=3)
    assert "Conv 3x3 depthwise" in text
    assert "more operators" in text
    row = profile_row(profiled.profile)
    assert len(row["operators"]) == len(profiled.profile.operators)
    assert sum(group["time_share"] for group in row["groups"]) == pytest.approx(1.0)
    assert row["operators"][0]["flops_per_s"] > 0


def test_without_a_calibration_there_is_no_roofline_and_the_remedy_is_named(profiled):
    assert "devices --calibrate" in profiled.uncalibrated
    assert {operator.bound for operator in profiled.profile.operators} == {None}


def test_a_runtime_without_a_profiler_is_refused_before_anything_is_measured(tmp_path):
    with pytest.raises(InputError, match=r"torch-cpu has no profile .* onnxruntime-cpu"):
        nasprof.profile("reference:resnet18", "torch-cpu", store=tmp_path / "store.db")
    assert not (tmp_path / "store.db").exists()
