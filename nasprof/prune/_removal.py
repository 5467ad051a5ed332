"""Removal of channels from a copy of a network, and trying it before it is done."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from nasprof.prune._torch_pruning import torch_pruning

Place = tuple[str, str, int | None]
"""A layer, its side (`out`, `in`, `both`), and the axis of a parameter without a layer."""
Removals = Mapping[Place, set[int]]
"""Where -> the indices that go."""


def removed(network: nn.Module, removals: Removals) -> nn.Module:
    """A copy of the network without the channels; the network stays as it is."""
    smaller = copy.deepcopy(network)
    for (layer, side, axis), gone in removals.items():
        if not gone:
            continue
        if axis is not None:
            _shrink_parameter(smaller, layer, axis, gone)
            continue
        module = smaller.get_submodule(layer)
        pruner = _pruner(module)
        prune = pruner.prune_in_channels if side == "in" else pruner.prune_out_channels
        prune(module, sorted(gone))
    for parameter in smaller.parameters():
        parameter.grad = None
    return smaller


def probe(
    network: nn.Module,
    example: tuple[torch.Tensor, ...],
    several: Sequence[tuple[str, Removals]],
) -> dict[str, str]:
    """Which of the removals break the network, and why; all at once first, then by halves.

    The reason is empty where only the output changes its shape: its layer gives the output.
    """
    wanted = _shapes(network, example)
    found: dict[str, str] = {}
    waiting = [list(several)] if several else []
    while waiting:
        part = waiting.pop()
        problem = _problem(network, example, [removals for _, removals in part], wanted)
        if problem is None:
            continue
        if len(part) == 1:
            found[part[0][0]] = problem
        else:
            waiting += [part[: len(part) // 2], part[len(part) // 2 :]]
    return found


def merged(several: Sequence[Removals]) -> Removals:
    """Removals that are done at once."""
    found: dict[Place, set[int]] = {}
    for removals in several:
        for place, gone in removals.items():
            found.setdefault(place, set()).update(gone)
    return found


def _problem(
    network: nn.Module,
    example: tuple[torch.Tensor, ...],
    several: Sequence[Removals],
    wanted: list[torch.Size],
) -> str | None:
    try:
        shapes = _shapes(removed(network, merged(several)), example)
    except Exception as error:  # noqa: BLE001 - the network's own code can raise anything
        return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
    return None if shapes == wanted else ""


def _shapes(network: nn.Module, example: tuple[torch.Tensor, ...]) -> list[torch.Size]:
    network.eval()
    with torch.inference_mode():
        out = network(*example)
    several = out if isinstance(out, tuple | list) else [out]
    return [part.shape for part in several]


def _pruner(module: nn.Module) -> Any:
    tp = torch_pruning()
    return tp.function.PrunerBox[tp.ops.module2type(module)]


def _shrink_parameter(network: nn.Module, name: str, axis: int, gone: set[int]) -> None:
    owner_name, _, own = name.rpartition(".")
    owner = network.get_submodule(owner_name)
    whole = getattr(owner, own)
    kept = torch.tensor([i for i in range(whole.shape[axis]) if i not in gone])
    setattr(owner, own, nn.Parameter(whole.detach().index_select(axis, kept)))
