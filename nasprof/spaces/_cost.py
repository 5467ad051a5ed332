"""The cost of a network from its layers alone, without weights and without arithmetic."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


@dataclass(slots=True)
class NetworkCost:
    """What one input costs in the layers of a network.

    Unit: MACs (one multiply and one add) of convolutions, linear layers and matrix products;
    `bias_adds` and `norm_elements` are output elements of layers with a bias and of normalisation
    layers, so that published conventions can be rebuilt. `params` counts trainable weights.
    """

    conv_macs: int = 0
    linear_macs: int = 0
    matmul_macs: int = 0
    conv_bias_adds: int = 0
    linear_bias_adds: int = 0
    norm_elements: int = 0
    params: int = 0

    @property
    def macs(self) -> int:
        """All multiply-accumulates; biases, normalisation, pooling and additions do not count."""
        return self.conv_macs + self.linear_macs + self.matmul_macs


class MatMul(nn.Module):
    """A matrix product as a layer, so that its cost is counted."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Multiply the last two dimensions of two tensors."""
        return torch.matmul(a, b)


def count_network(
    build: Callable[[], nn.Module], input_shape: tuple[int, ...], dtype: str = "float32"
) -> NetworkCost:
    """Count a network whose weights are on the meta device, for one input.

    `build` makes the network; it is called once, on the meta device.
    Shapes: `input_shape` without the batch dimension.
    """
    with _Skeleton(), _unscanned():
        layers = list(build().modules())
    # Shared weights count once.
    weights = {id(p): p.numel() for layer in layers for p in layer.parameters(recurse=False)}
    cost = NetworkCost(params=sum(weights.values()))
    for layer in layers:
        layer.__dict__["training"] = False
        if rule := _RULES.get(type(layer)):
            # The layer only tells its output's shape. Written past nn.Module's own setter, which
            # takes longer than the layer; the network is thrown away after this.
            layer.__dict__["forward"] = partial(rule, cost, layer)
    # A batch of zero inputs has all shapes and no data; on the CPU it is faster than meta tensors.
    with torch.no_grad():
        layers[0](torch.empty(0, *input_shape, dtype=getattr(torch, dtype)))
    for layer in layers:
        layer.__dict__.pop("forward", None)
    return cost


@contextmanager
def _unscanned() -> Iterator[None]:
    """Keep the garbage collector from walking a half-built network again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Skeleton(TorchFunctionMode):
    """Makes weights on the meta device and leaves them unfilled: half the time to build."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in _FILLS:
            return args[0] if args else None
        if func in _MAKERS:
            return torch.empty(*args, **{**(kwargs or {}), "device": "meta"})
        if func in _FILLED_MAKERS:
            return func(*args, **{**(kwargs or {}), "device": "meta"})
        return func(*args, **(kwargs or {}))


_MAKERS = frozenset({torch.empty, torch.zeros, torch.ones, torch.randn, torch.rand})
_FILLED_MAKERS = frozenset({torch.full, torch.tensor})
_FILLS = frozenset(
    {
        nn.init.kaiming_uniform_,
        nn.init.kaiming_normal_,
        nn.init.uniform_,
        nn.init.normal_,
        nn.init.constant_,
        torch.Tensor.uniform_,
        torch.Tensor.normal_,
        torch.Tensor.fill_,
        torch.Tensor.zero_,
    }
)


def _conv(cost: NetworkCost, layer: Any, x: torch.Tensor) -> torch.Tensor:
    if layer.padding == "same":
        spatial = list(x.shape[2:])
    else:
        spatial = [
            (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            for size, pad, dilation, kernel, stride in zip(*_window(layer, x), strict=True)
        ]
    elements = layer.out_channels * prod(spatial)
    cost.conv_macs += elements * layer.in_channels // layer.groups * prod(layer.kernel_size)
    cost.conv_bias_adds += elements if layer.bias is not None else 0
    return x.new_empty(0, layer.out_channels, *spatial)


def _deconv(cost: NetworkCost, layer: Any, x: torch.Tensor) -> torch.Tensor:
    spatial = [
        (size - 1) * stride - 2 * pad + dilation * (kernel - 1) + extra + 1
        for size, pad, dilation, kernel, stride, extra in zip(
            *_window(layer, x), layer.output_padding, strict=True
        )
    ]
    taps = layer.out_channels // layer.groups * prod(layer.kernel_size)
    cost.conv_macs += prod(x.shape[1:]) * taps
    cost.conv_bias_adds += layer.out_channels * prod(spatial) if layer.bias is not None else 0
    return x.new_empty(0, layer.out_channels, *spatial)


def _window(layer: Any, x: torch.Tensor) -> tuple[tuple[int, ...], ...]:
    padding = (0,) * (x.dim() - 2) if layer.padding == "valid" else layer.padding
    return (x.shape[2:], padding, layer.dilation, layer.kernel_size, layer.stride)


def _linear(cost: NetworkCost, layer: Any, x: torch.Tensor) -> torch.Tensor:
    outputs = prod(x.shape[1:-1]) * layer.out_features
    cost.linear_macs += outputs * layer.in_features
    cost.linear_bias_adds += outputs if layer.bias is not None else 0
    return x.new_empty(*x.shape[:-1], layer.out_features)


def _norm(cost: NetworkCost, layer: Any, x: torch.Tensor) -> torch.Tensor:
    cost.norm_elements += prod(x.shape[1:])
    return x


def _matmul(cost: NetworkCost, layer: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    out = torch.matmul(a, b)
    cost.matmul_macs += prod(out.shape[1:]) * a.shape[-1]
    return out


def _embedding(cost: NetworkCost, layer: Any, x: torch.Tensor) -> torch.Tensor:
    return torch.empty(*x.shape, layer.embedding_dim)


def _same(cost: NetworkCost, layer: Any, x: torch.Tensor) -> torch.Tensor:
    return x


_RULES: dict[type[nn.Module], Callable[..., torch.Tensor]] = {
    nn.Conv1d: _conv,
    nn.Conv2d: _conv,
    nn.ConvTranspose2d: _deconv,
    nn.Linear: _linear,
    nn.Embedding: _embedding,
    nn.BatchNorm2d: _norm,
    nn.LayerNorm: _norm,
    MatMul: _matmul,
    nn.ReLU: _same,
    nn.LeakyReLU: _same,
    nn.Hardswish: _same,
    nn.Hardsigmoid: _same,
}
