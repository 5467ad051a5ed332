"""What the tests of all spaces share: small builds, inputs, a count from real tensors."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import nn

from nasprof.spaces._cost import MatMul
from nasprof.spaces._genes import input_shape
from nasprof.spaces._space import Genes, Space

# Sizes that keep a test fast; the layers are the same.
SETTINGS: dict[str, dict[str, Any]] = {
    "autobert-zero": {"hidden": 32, "heads": 2, "vocabulary": 50, "longest": 64},
    "nasbench101": {"width": 32},
    "transnas-macro": {"base": 8},
    "transnas-micro": {"base": 8},
}
VOCABULARY = 50
COUNTED = (
    nn.ConvTranspose2d,
    nn.Conv1d,
    nn.Conv2d,
    nn.Linear,
    MatMul,
    nn.BatchNorm2d,
    nn.LayerNorm,
)


def build(space: Space, genes: Genes) -> nn.Module:
    """A network of the space with few channels."""
    build_with: Any = space.build
    return build_with(genes, **SETTINGS.get(space.name, {}))


def small_shape(space: Space, genes: Genes) -> tuple[int, ...]:
    """The input shape, reduced to at most 64 pixels or 16 tokens."""
    shape = input_shape(space, genes)
    return (16,) if len(shape) == 1 else (*shape[:-2], min(shape[-2], 64), min(shape[-1], 64))


def example(space: Space, shape: tuple[int, ...], batch: int = 2) -> torch.Tensor:
    """A random input from a fixed seed."""
    generator = torch.Generator().manual_seed(0)
    if space.input_dtype == "int64":
        return torch.randint(VOCABULARY, (batch, *shape), generator=generator)
    return torch.randn(batch, *shape, generator=generator)


def reference_count(network: nn.Module, x: torch.Tensor) -> tuple[int, int, int]:
    """(MACs, elements of normalisation layers, parameters) of one input, from real tensors.

    Written apart from `count_network`: it looks at the weights and outputs of layers that ran.
    """
    macs = norms = 0

    def look(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal macs, norms
        if not isinstance(layer, COUNTED):
            return
        per_item = output[:1].numel()
        match layer:
            case nn.ConvTranspose2d():
                macs += inputs[0][:1].numel() * prod(layer.weight.shape[1:])
            case nn.Conv1d() | nn.Conv2d() | nn.Linear():
                macs += per_item * prod(layer.weight.shape[1:])
            case MatMul():
                macs += per_item * inputs[1].shape[-2]
            case nn.BatchNorm2d() | nn.LayerNorm():
                norms += per_item

    handles = [layer.register_forward_hook(look) for layer in network.modules()]
    with torch.no_grad():
        network.eval()(x)
    for handle in handles:
        handle.remove()
    return macs, norms, sum(p.numel() for p in network.parameters() if p.requires_grad)
