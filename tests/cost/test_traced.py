"""Modules counted without weights, and the same modules exported."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from exporters.meta_trace import trace_module
from profiler.core.errors import InputError
from profiler.cost.count import count_file
from profiler.cost.traced import count_trace


class Attention(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.scaled_dot_product_attention(x, x, x)


class OwnAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(64, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x, x, x, need_weights=False)[0]


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(64, 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


class Labels(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bhid,bhjd->bhij", x, x)


class Network(nn.Module):
    """Every kind of layer once, with a residual and a product of activations."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(12)
        self.deep = nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False)
        self.up = nn.ConvTranspose2d(12, 6, 4, stride=2, padding=1)
        self.token = nn.Linear(6, 16)
        self.layer_norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.norm(self.stem(x)))
        x = functional.silu(x + self.deep(x))
        x = functional.max_pool2d(self.up(x), 2)
        x = self.token(x.flatten(2).transpose(1, 2))
        x = self.layer_norm(functional.gelu(x))
        x = (x @ x.transpose(1, 2)).softmax(-1) @ x
        return self.head(x.mean(1))


def linear_macs() -> int:
    stem, deep = 12 * 8 * 8 * 27, 12 * 8 * 8 * 9
    up, token = 12 * 8 * 8 * 6 * 16, 64 * 6 * 16
    return stem + deep + up + token + 2 * 64 * 64 * 16 + 16 * 5


# The unit cases of the specification as torch modules; the last is worked out above.
@pytest.mark.parametrize(
    ("build", "shape", "macs"),
    [
        (lambda: nn.Conv2d(16, 32, 3, padding=1), (1, 16, 28, 28), 3_612_672),
        (lambda: nn.Conv2d(16, 32, 3, padding=1, groups=4), (1, 16, 28, 28), 903_168),
        (lambda: nn.Conv2d(16, 16, 3, padding=1, groups=16), (1, 16, 28, 28), 112_896),
        (lambda: nn.ConvTranspose2d(16, 8, 4, 2, 1), (1, 16, 28, 28), 1_605_632),
        (lambda: nn.Linear(64, 128), (1, 196, 64), 1_605_632),
        (Attention, (1, 8, 49, 32), 1_229_312),
        (Labels, (1, 8, 49, 32), 614_656),
        (OwnAttention, (1, 49, 64), 1_110_144),
        (Recurrent, (10, 1, 64), 327_680),
        (Network, (1, 3, 16, 16), linear_macs()),
    ],
    ids=[
        "conv", "groups", "depthwise", "transposed", "linear", "attention", "einsum",
        "MultiheadAttention", "LSTM", "network",
    ],
)  # fmt: skip
def test_macs_without_export(
    build: Callable[[], nn.Module], shape: tuple[int, ...], macs: int
) -> None:
    module = build()
    cost = count_trace(trace_module(module, [torch.empty(shape)]))
    assert cost.macs == macs
    assert cost.complete, (cost.uncounted, cost.unknown)
    assert cost.params == sum(parameter.numel() for parameter in module.parameters())
    assert cost.peak_activation_bytes is not None
    assert cost.flops >= 2 * macs


def test_nodes_know_their_module() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(), nn.Conv2d(4, 5, 3)))
    cost = count_trace(trace_module(module, [torch.empty(1, 3, 8, 8)]))
    macs = {node.module: node.macs for node in cost.nodes if node.macs}
    assert macs == {"0": 36 * 4 * 27, "1.1": 16 * 5 * 36}
    assert not module._forward_hooks
    assert not module._forward_pre_hooks


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("build", [Network, OwnAttention])
def test_both_exporters_give_the_same_macs(
    tmp_path: Path, build: Callable[[], nn.Module], dynamo: bool
) -> None:
    module = build().eval()
    shape = (1, 3, 16, 16) if build is Network else (1, 49, 64)
    path = tmp_path / "m.onnx"
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module, (torch.randn(shape),), str(path), dynamo=dynamo, verbose=False
            )
    finally:
        logging.disable(level)
    exported = count_file(path)
    assert exported.complete
    assert exported.macs == count_trace(trace_module(module, [torch.empty(shape)])).macs
    if build is Network:
        modules = {op.op_type: op.macs for op in exported.by_module()}
        assert modules["deep"] == 12 * 8 * 8 * 9
        assert modules["head"] == 16 * 5


def test_the_module_is_not_changed() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = [tensor.clone() for tensor in module.state_dict().values()]
    trace_module(module, [torch.randn(1, 3, 8, 8)])
    assert module.training
    assert all(torch.equal(a, b) for a, b in zip(before, module.state_dict().values(), strict=True))


def test_a_module_that_looks_at_its_data_is_refused() -> None:
    class Curious(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(InputError, match="Curious"):
        trace_module(Curious(), [torch.ones(2)])


def test_an_operator_without_counterpart_is_named() -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.special.bessel_j0(x)

    cost = count_trace(trace_module(Odd(), [torch.ones(3)]))
    assert cost.uncounted == (("torch.special_bessel_j0", 1),)


def test_products_of_weights_alone_are_told_apart() -> None:
    class Folded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Parameter(torch.ones(4, 5))
            self.b = nn.Parameter(torch.ones(5, 6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ (self.a @ self.b)

    cost = count_trace(trace_module(Folded(), [torch.ones(2, 4)]))
    assert (cost.macs, cost.constant_macs) == (4 * 5 * 6 + 2 * 4 * 6, 4 * 5 * 6)


def test_conventions_apply_to_modules() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
    trace = trace_module(module, [torch.empty(1, 3, 8, 8)])
    conv, elements = 4 * 64 * 27, 4 * 64
    assert count_trace(trace, "fvcore").figure == conv + 2 * elements
    assert count_trace(trace, "thop").figure == conv + 4 * elements
    assert count_trace(trace, "torch").figure == 2 * conv


class Branches(nn.Module):
    """A branch that nothing reads, and one that is read only through the memory it wrote to."""

    def __init__(self) -> None:
        super().__init__()
        self.dead = nn.Conv2d(3, 4, 3, padding=1)
        self.live = nn.Conv2d(3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        functional.relu_(self.dead(x))
        out = torch.zeros_like(x)
        out[:, :2] = self.live(x)
        return out


def test_what_no_output_needs_can_be_left_out_but_not_what_is_written_into_a_part() -> None:
    trace = trace_module(Branches(), [torch.empty(1, 3, 8, 8)])
    live, dead = 64 * 2 * 3, 64 * 4 * 3 * 9
    assert count_trace(trace).macs == live + dead
    used = count_trace(trace.used())
    assert (used.macs, used.params) == (live, 2 * 3 + 2 + 4 * 27 + 4)
