"""Weights that are masked one by one: which layers carry masks, how many may stay, what is held."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from nasprof.prune._limits import Limit
from profiler.core.errors import InputError

_CONVOLUTION = nn.modules.conv._ConvNd


@dataclass(frozen=True, slots=True)
class Masked:
    """The layers of a network that carry masks, by name; all share one budget of weights."""

    layers: Mapping[str, nn.Module]
    budget: int

    @property
    def weights(self) -> int:
        """How many weights there are to choose from."""
        return sum(weight_of(layer).numel() for layer in self.layers.values())


def weight_of(layer: nn.Module) -> torch.Tensor:
    """The weight of a convolution or linear layer."""
    weight = layer.weight
    assert isinstance(weight, torch.Tensor)
    return weight


def masked_layers(network: nn.Module) -> dict[str, nn.Module]:
    """Convolutions and linear layers; biases and normalisation carry no masks.

    Raises: InputError when there are none, or naming two that share a weight.
    """
    found: dict[str, nn.Module] = {}
    owners: dict[int, str] = {}
    for name, module in network.named_modules():
        if not isinstance(module, _CONVOLUTION | nn.Linear):
            continue
        other = owners.setdefault(id(module.weight), name)
        if other != name:
            raise InputError(f"layers {other!r} and {name!r} share a weight; masks need their own")
        found[name] = module
    if not found:
        raise InputError(
            "the network has no convolution or linear layer whose weights can be masked"
        )
    return found


def masked(network: nn.Module, limits: tuple[Limit, ...], method: str) -> Masked:
    """Find the layers and the budget: `params<=2%` keeps 2 % of their weights.

    Raises: InputError for another limit, or where not one weight would be left.
    """
    other = [limit.metric for limit in limits if limit.metric != "params"]
    if other or len(limits) != 1:
        what = f"can't be limited by {other[0]}" if other else "needs one limit"
        raise InputError(
            f"{method} masks single weights and {what}; give for example params<=5% (of the "
            "weights of convolutions and linear layers)"
        )
    layers = masked_layers(network)
    whole = sum(weight_of(layer).numel() for layer in layers.values())
    budget = math.floor(limits[0].of(whole) + 1e-9 * whole)
    if not 0 < budget < whole:
        raise InputError(
            f"limit {limits[0].text!r} leaves {budget:,} of {whole:,} weights; give one between"
        )
    return Masked(layers, budget)


def holder(layers: Mapping[str, nn.Module]) -> Callable[[], None]:
    """What keeps the zeros of these layers as they are now at zero."""
    zeros = [(weight_of(layer), weight_of(layer).detach() == 0) for layer in layers.values()]

    def hold() -> None:
        with torch.no_grad():
            for weight, gone in zeros:
                weight.masked_fill_(gone, 0)

    return hold
