from __future__ import annotations

from pathlib import Path

import onnx
import torch
from export_nets import IMAGE, ROW, ConvNet, verify
from torch import nn

from exporters.calibration import calibrate
from exporters.options import ExportOptions
from exporters.torch_onnx import export_module

TRACING = ExportOptions(exporter="torchscript")


def noise(seed: int, batch: int) -> tuple[torch.Tensor, ...]:
    return (torch.randn(batch, 3, 8, 8, generator=torch.Generator().manual_seed(seed)),)


def test_fresh_layers_get_statistics_and_weights_that_do_something() -> None:
    net = ConvNet().eval()
    with torch.no_grad():
        assert calibrate(net, noise, 1) == 2
    assert net.norm.running_mean.any()
    assert not (net.norm.running_var == 1).any()
    assert bool((net.last.weight >= 0.5).all())
    assert (net.norm.momentum, net.norm.training) == (0.1, False)


def test_layers_that_saw_data_are_never_touched() -> None:
    net = ConvNet()
    net.train()
    net.first(noise(0, 4)[0])
    net.norm(net.first(noise(0, 4)[0]))  # the first layer is trained, the last one is fresh
    net.eval()
    trained = {k: v.clone() for k, v in net.norm.state_dict().items()}
    with torch.no_grad():
        assert calibrate(net, noise, 1) == 1
    assert all(torch.equal(trained[k], v) for k, v in net.norm.state_dict().items())


def test_statistics_without_a_counter_count_as_trained() -> None:
    layer = nn.BatchNorm2d(3).eval()
    layer.running_mean.fill_(0.5)
    with torch.no_grad():
        assert calibrate(layer, noise, 1) == 0


def test_a_module_for_one_batch_size_is_calibrated_at_that_size() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.norm(x.view(2, 3, 8, 8))
            return out

    net = Fixed().eval()
    with torch.no_grad():
        assert calibrate(net, noise, 2) == 1
    assert net.norm.running_mean.any()
    assert int(net.norm.num_batches_tracked) == 2


def test_an_export_without_calibration_keeps_the_module_as_it_is(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = ConvNet()
    options = ExportOptions(exporter="torchscript", calibrate=False)
    record = export_module(net, IMAGE, tmp_path / "net.onnx", options, verify)
    assert not any("calibrated" in step for step in record.steps)


def test_a_classifier_that_starts_at_zero_is_drawn_anew(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3))
    nn.init.zeros_(net[2].weight)
    record = export_module(net, ROW, tmp_path / "net.onnx", TRACING, verify)
    assert any("drew 1 weights anew" in step for step in record.steps)
    weights = [
        onnx.numpy_helper.to_array(t) for t in onnx.load(tmp_path / "net.onnx").graph.initializer
    ]
    assert all(w.any() for w in weights if w.ndim > 1)
    assert not net[2].weight.any()
