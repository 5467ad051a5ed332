"""Which channels of which layers go together: torch-pruning's dependency graph, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import nn

from exporters.quiet import quiet
from nasprof.prune._method import Importance
from nasprof.prune._removal import Place, probe
from nasprof.prune._torch_pruning import torch_pruning
from profiler.core.errors import InputError

_ROOTS = (nn.modules.conv._ConvNd, nn.Linear)
_COUNTED = (
    *_ROOTS, nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm,
    nn.modules.instancenorm._InstanceNorm, nn.PReLU,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the units of a group sit in one layer, or in a parameter without a layer.

    `side` is `out`, `in`, or `both` where one list holds for both; `axis` is the dimension of a
    bare parameter. `indices[u]` are the indices that unit u takes along.
    """

    layer: str
    side: str
    indices: tuple[tuple[int, ...], ...]
    axis: int | None = None

    @property
    def width(self) -> int:
        """Indices of one unit."""
        return len(self.indices[0])


@dataclass(frozen=True, slots=True)
class Group:
    """Layers that lose a channel together; a unit is what goes at once.

    A unit is one channel, or one of each block before a layer with blocks (grouped convolution).
    `order` lists the units from the least to the most important, `scores` belong to the units.
    """

    name: str
    cuts: tuple[Cut, ...]
    scores: tuple[float, ...]
    order: tuple[int, ...]

    @property
    def units(self) -> int:
        """How many there are."""
        return len(self.scores)

    def lowest(self, count: int) -> tuple[int, ...]:
        """The least important units."""
        return self.order[:count]


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups that can be cut; `whole` says why others stay as they are, by their first layer.

    A layer that gives the network's output is in neither: nobody would cut the classes.
    """

    cuttable: tuple[Group, ...]
    whole: Mapping[str, str]


def find_groups(
    network: nn.Module, example: tuple[torch.Tensor, ...], importance: Importance
) -> Groups:
    """Trace the network, score its channels, and try each group on a copy.

    Raises: InputError naming the layer where torch-pruning can't follow the network.
    """
    network.eval()
    found, whole = _read(network, example, importance)
    tried = probe(network, example, [(g.name, removals([(g, 1)])) for g in found])
    whole |= {name: reason for name, reason in tried.items() if reason}
    return Groups(tuple(g for g in found if g.name not in tried), whole)


def removals(chosen: Sequence[tuple[Group, int]]) -> dict[Place, set[int]]:
    """The indices of each layer and side that go when groups lose their lowest units."""
    found: dict[Place, set[int]] = {}
    for group, count in chosen:
        units = group.lowest(count)
        for cut in group.cuts:
            gone = found.setdefault((cut.layer, cut.side, cut.axis), set())
            gone.update(index for unit in units for index in cut.indices[unit])
    return found


def _read(
    network: nn.Module, example: tuple[torch.Tensor, ...], importance: Importance
) -> tuple[list[Group], dict[str, str]]:
    names = {id(module): name for name, module in network.named_modules()}
    names |= {id(parameter): name for name, parameter in network.named_parameters()}
    groups: list[Group] = []
    whole: dict[str, str] = {}
    graph, several = trace(network, example, names)
    for traced in several:
        name = first_layer(graph, traced, names)
        try:
            group = _group(name, graph, traced, names, importance)
        except _KeptWhole as reason:
            whole[name] = str(reason)
        else:
            groups.append(group)
    place = {name: number for number, name in enumerate(names.values())}
    return sorted(groups, key=lambda group: place[group.name]), whole


class _KeptWhole(Exception):  # noqa: N818 - no error: a reason to leave a group as it is
    pass


def trace(
    network: nn.Module, example: tuple[torch.Tensor, ...], names: Mapping[int, str]
) -> tuple[Any, list[Any]]:
    """The dependency graph and its groups, each with all channels of its first layer."""
    tp = torch_pruning()
    try:
        with quiet(), torch.enable_grad():
            graph = tp.DependencyGraph().build_dependency(network, example_inputs=example)
            return graph, list(graph.get_all_groups(root_module_types=list(_ROOTS)))
    except Exception as error:  # torch-pruning raises whatever its tracing runs into
        layer = _layer_at(error.__traceback__, names)
        at = f" at layer {layer!r}" if layer else ""
        raise InputError(
            f"torch-pruning cannot follow this network{at}: {type(error).__name__}: {error}"
        ) from error


def _layer_at(trace: TracebackType | None, names: Mapping[int, str]) -> str | None:
    """The layer that torch-pruning looked at when it failed, or the nearest one before it."""
    found = None
    while trace is not None:
        for value in list(trace.tb_frame.f_locals.values()):
            node = getattr(value, "target", value)
            found = _nearest(node, names) or found
        trace = trace.tb_next
    return found


def _nearest(node: Any, names: Mapping[int, str]) -> str | None:
    waiting, seen = [node], set()
    while waiting:
        node = waiting.pop(0)
        if not (hasattr(node, "module") and hasattr(node, "inputs")) or id(node) in seen:
            continue
        seen.add(id(node))
        if id(node.module) in names:
            return names[id(node.module)]
        waiting += node.inputs
    return None


def first_layer(graph: Any, traced: Any, names: Mapping[int, str]) -> str:
    """The first layer, as the network lists them, whose output channels go."""
    found = {
        id(item.dep.target.module)
        for item in traced
        if isinstance(item.dep.target.module, _ROOTS)
        and graph.is_out_channel_pruning_fn(item.dep.handler)
    }
    return next(name for key, name in names.items() if key in found)


def _group(
    name: str, graph: Any, traced: Any, names: Mapping[int, str], importance: Importance
) -> Group:
    root = traced[0].dep.target.module
    channels = graph.get_out_channels(root)
    blocks = blocks_of(graph, traced)
    if channels % blocks:
        raise _KeptWhole(f"{channels} channels in {blocks} blocks")
    units = channels // blocks
    if units < 2:
        raise _KeptWhole("one channel, or one of each block")
    cuts = [
        _cut(graph, item, names, units) for item in traced if id(item.dep.target.module) in names
    ]
    scores = importance(traced)
    if scores is None:
        raise _KeptWhole("the method scores none of its layers")
    scored = scores.detach().reshape(blocks, units).mean(0)
    if bool(torch.isnan(scored).any()):
        raise InputError(f"layer {name!r} has scores that are no numbers")
    order = tuple(int(unit) for unit in torch.argsort(scored, stable=True))
    return Group(name, tuple(cuts), tuple(map(float, scored)), order)


def blocks_of(graph: Any, traced: Any) -> int:
    """Blocks of channels that must stay equal in size: those of the widest grouped layer."""
    found = [1]
    for item in traced:
        module, handler = item.dep.target.module, item.dep.handler
        pruner = graph.get_pruner_of_module(module)
        if pruner is None or _is_depthwise(module):
            continue
        side = "out" if graph.is_out_channel_pruning_fn(handler) else "in"
        found.append(getattr(pruner, f"get_{side}_channel_groups")(module) or 1)
    largest = max(found)
    if any(largest % blocks for blocks in found):
        raise _KeptWhole(f"blocks of {sorted(set(found))} layers do not divide each other")
    return largest


def _cut(graph: Any, item: Any, names: Mapping[int, str], units: int) -> Cut:
    module, handler = item.dep.target.module, item.dep.handler
    name, bare = names[id(module)], isinstance(module, nn.Parameter)
    if not bare and not isinstance(module, _COUNTED):
        raise _KeptWhole(f"{name} is a {type(module).__name__}")
    indices: list[list[int]] = [[] for _ in range(units)]
    for index, root in zip(item.idxs, item.root_idxs, strict=True):
        indices[root % units].append(int(index))
    if len({len(part) for part in indices}) != 1:
        raise _KeptWhole(f"{name} takes its channels in unequal parts")
    out, inward = graph.is_out_channel_pruning_fn(handler), graph.is_in_channel_pruning_fn(handler)
    side = "both" if bare or (out and inward) else "out" if out else "in"
    axis = graph.module2node[module].pruning_dim if bare else None
    return Cut(name, side, tuple(tuple(sorted(part)) for part in indices), axis)


def _is_depthwise(module: object) -> bool:
    return isinstance(module, nn.modules.conv._ConvNd) and module.groups == module.out_channels
