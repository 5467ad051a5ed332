"""MACs and parameters of a network as a function of how many channels each group has lost.

Surgery on a copy for every trial would take a second each; this takes microseconds, and the counter
of nasprof has the last word on what was cut.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from nasprof.prune._groups import Group

_CONV = nn.modules.conv._ConvNd


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution or linear layer: MACs and parameters are products of its channels.

    `positions` are the places that a kernel is applied to in one inference. `lost_in` and
    `lost_out` are (group, channels that go with one unit of it).
    """

    name: str
    channels_in: int
    channels_out: int
    blocks: int
    kernel: int
    positions: int
    bias: bool
    depthwise: bool
    lost_in: tuple[tuple[int, int], ...]
    lost_out: tuple[tuple[int, int], ...]

    def width(self, counts: Sequence[int]) -> tuple[int, int]:
        """Channels in and out that are left."""
        left_out = self.channels_out - sum(width * counts[g] for g, width in self.lost_out)
        if self.depthwise:
            return left_out, left_out
        return self.channels_in - sum(width * counts[g] for g, width in self.lost_in), left_out

    def weights(self, counts: Sequence[int]) -> int:
        """Weights without the bias."""
        left_in, left_out = self.width(counts)
        return self.kernel * left_out * (1 if self.depthwise else left_in // self.blocks)

    def macs(self, counts: Sequence[int]) -> int:
        """Unit: MACs of one inference."""
        return self.positions * self.weights(counts)


@dataclass(frozen=True, slots=True)
class Size:
    """What a network costs when group g has lost `counts[g]` units.

    `other_params` are parameters outside of `layers` in the whole network, `lost_params` how many
    of them go with one unit of each group. `other_macs` are those outside, of attention for
    example; they are taken to stay.
    """

    layers: tuple[Layer, ...]
    other_params: int
    lost_params: tuple[int, ...]
    other_macs: int = 0

    @property
    def nothing_lost(self) -> list[int]:
        """The counts of the whole network."""
        return [0] * len(self.lost_params)

    def macs(self, counts: Sequence[int]) -> int:
        """MACs of the whole network."""
        return sum(layer.macs(counts) for layer in self.layers) + self.other_macs

    def params(self, counts: Sequence[int]) -> int:
        """Parameters of the whole module."""
        own = sum(
            layer.weights(counts) + layer.bias * layer.width(counts)[1] for layer in self.layers
        )
        lost = sum(n * each for n, each in zip(counts, self.lost_params, strict=True))
        return own + self.other_params - lost

    def metric(self, name: str, counts: Sequence[int]) -> int:
        """`macs` or `params`."""
        return self.macs(counts) if name == "macs" else self.params(counts)


def size_of(
    network: nn.Module,
    example: tuple[torch.Tensor, ...],
    groups: Sequence[Group],
    macs: int | None = None,
) -> Size:
    """Read the layers of a network and how they hang on the groups.

    `macs` are those that nasprof counts for the whole network; None where all are in layers.
    """
    positions = _positions(network, example)
    modules = {n: m for n, m in network.named_modules() if isinstance(m, _CONV | nn.Linear)}
    lost = _lost(groups)
    layers = [
        _layer(name, module, positions[name], lost)
        for name, module in modules.items()
        if name in positions
    ]
    named = {layer.name for layer in layers}
    owned = {id(p) for name in named for p in modules[name].parameters(recurse=False)}
    other = sum(p.numel() for p in network.parameters() if id(p) not in owned)
    each = tuple(
        sum(_params_of(network, cut.layer, cut.axis) * cut.width for cut in group.cuts
            if cut.layer not in named)
        for group in groups
    )  # fmt: skip
    size = Size(tuple(layers), other, each)
    return size if macs is None else replace(size, other_macs=macs - size.macs(size.nothing_lost))


def _lost(groups: Sequence[Group]) -> Mapping[tuple[str, str], tuple[tuple[int, int], ...]]:
    found: dict[tuple[str, str], tuple[tuple[int, int], ...]] = {}
    for number, group in enumerate(groups):
        for cut in group.cuts:
            place = (cut.layer, cut.side)
            found[place] = (*found.get(place, ()), (number, cut.width))
    return found


def _layer(
    name: str,
    module: Any,
    positions: int,
    lost: Mapping[tuple[str, str], tuple[tuple[int, int], ...]],
) -> Layer:
    convolution = isinstance(module, _CONV)
    depthwise = convolution and module.groups == module.out_channels and module.out_channels > 1
    return Layer(
        name=name,
        channels_in=module.in_channels if convolution else module.in_features,
        channels_out=module.out_channels if convolution else module.out_features,
        blocks=module.groups if convolution else 1,
        kernel=math.prod(module.kernel_size) if convolution else 1,
        positions=positions,
        bias=module.bias is not None,
        depthwise=depthwise,
        lost_in=lost.get((name, "in"), ()),
        lost_out=lost.get((name, "both" if depthwise else "out"), ()),
    )


def _positions(network: nn.Module, example: tuple[torch.Tensor, ...]) -> dict[str, int]:
    """Places that each layer's kernel is applied to in one run, added up over its calls."""
    found: dict[str, int] = {}

    def note(name: str, module: Any, x: torch.Tensor, out: torch.Tensor) -> None:
        if isinstance(module, nn.Linear):
            count = out.numel() // module.out_features
        elif module.transposed:
            count = x.numel() // module.in_channels
        else:
            count = out.numel() // module.out_channels
        found[name] = found.get(name, 0) + count

    hooks = [
        module.register_forward_hook(
            lambda module, inputs, out, name=name: note(name, module, inputs[0], out)
        )
        for name, module in network.named_modules()
        if isinstance(module, _CONV | nn.Linear)
    ]
    try:
        network.eval()
        with torch.inference_mode():
            network(*example)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _params_of(network: nn.Module, layer: str, axis: int | None) -> int:
    """Parameters that go with one index of a layer that is neither convolution nor linear."""
    if axis is not None:
        whole = network.get_parameter(layer)
        return int(whole.numel()) // int(whole.shape[axis])
    own = network.get_submodule(layer).parameters(recurse=False)
    found: int = sum(p.numel() // len(p) for p in own if len(p) > 1)
    return found
