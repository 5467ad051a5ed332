"""Which BatchNorm layers can hold gates, and which of them share these."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nasprof.prune._gated_norm import GatedNorm, Gating, Shared
from nasprof.prune._groups import blocks_of, first_layer, trace

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True, slots=True)
class Wired:
    """Gated norms by the name of the layer before them, the norms' own names, shared gates."""

    norms: Mapping[str, GatedNorm]
    places: Mapping[str, str]
    shared: tuple[Shared, ...]


def wire(network: nn.Module, example: tuple[torch.Tensor, ...], size: int, gating: Gating) -> Wired:
    """Replace each BatchNorm whose input is one layer's output, read by nothing else.

    Whitening is done in groups of at most `size` channels that lie within one block of the layer,
    so that S folds into it at no cost; after a depthwise convolution the group is one channel and
    S the identity. A BatchNorm after an addition or concatenation stays as it is.
    Raises: InputError naming the layer where torch-pruning can't follow the network.
    """
    network.eval()
    names = {id(module): name for name, module in network.named_modules()}
    names |= {id(parameter): name for name, parameter in network.named_parameters()}
    graph, traced = trace(network, example, names)
    nodes = {id(module): node for module, node in graph.module2node.items()}
    found: dict[int, GatedNorm] = {}
    norms, places = {}, {}
    for name, module in network.named_modules():
        layer = _layer_before(nodes.get(id(module)))
        if layer is not None and id(layer) in names:
            gated = GatedNorm(module, _within(module, layer, size), gating)
            found[id(module)] = norms[names[id(layer)]] = gated
            places[names[id(layer)]] = name
    shared = [one for group in traced if (one := _shared(graph, group, names, found, nodes))]
    for name, gated in zip(places.values(), norms.values(), strict=True):
        network.set_submodule(name, gated)
    return Wired(norms, places, tuple(shared))


def _layer_before(node: Any) -> Any:
    """The layer whose output this BatchNorm, and nothing else, reads; None for other nodes."""
    norm = getattr(node, "module", None)
    if not isinstance(norm, nn.modules.batchnorm._BatchNorm) or not norm.affine:
        return None
    if not norm.track_running_stats or len(node.inputs) != 1:
        return None
    before = node.inputs[0]
    if not isinstance(before.module, _LAYERS) or len(before.outputs) != 1:
        return None
    return before.module


def _within(norm: Any, layer: Any, size: int) -> int:
    return math.gcd(size, norm.num_features // getattr(layer, "groups", 1))


def _shared(
    graph: Any, group: Any, names: Mapping[int, str], found: Mapping[int, GatedNorm], nodes: Any
) -> Shared | None:
    """The gates of one group; None where none of its norms can hold them."""
    members = {}
    for item in group:
        module = item.dep.target.module
        if id(module) in found and id(module) not in members:
            own = torch.tensor([int(index) for index in item.idxs])
            members[id(module)] = (own, torch.tensor(list(item.root_idxs)))
    if not members:
        return None
    channels, blocks = len(group[0].idxs), blocks_of(graph, group)
    if channels % blocks:
        return None
    shared = Shared(first_layer(graph, group, names), channels, blocks)
    for key, (own, root) in members.items():
        found[key].parts.append((shared, own, root))
        if not _reaches(nodes[key], members.keys() - {key}):
            shared.deciders.append((found[key], own, root))
    return shared


def _reaches(node: Any, others: Any) -> bool:
    """Whether one of the others lies before the node."""
    waiting, seen = list(node.inputs), set()
    while waiting:
        before = waiting.pop()
        if id(before.module) in others:
            return True
        if id(before) not in seen:
            seen.add(id(before))
            waiting += before.inputs
    return False
