"""From a plain network with scores to a smaller one: groups, choice, removal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from nasprof.prune._choice import below, choose
from nasprof.prune._groups import Groups, find_groups, removals
from nasprof.prune._method import Plain
from nasprof.prune._removal import removed
from nasprof.prune._report import LayerChange
from nasprof.prune._size import Size, size_of


@dataclass(frozen=True, slots=True)
class Operation:
    """A network that can be cut, with what it costs at any number of channels."""

    network: nn.Module
    groups: Groups
    size: Size

    def cut(self, counts: Sequence[int]) -> nn.Module:
        """A smaller copy: each group loses that many of its least important units."""
        chosen = list(zip(self.groups.cuttable, counts, strict=True))
        return removed(self.network, removals(chosen))

    def changes(self, counts: Sequence[int]) -> tuple[LayerChange, ...]:
        """Every convolution and linear layer before and after."""
        whole = self.size.nothing_lost
        return tuple(
            LayerChange(
                layer.name, layer.width(whole)[1], layer.width(counts)[1],
                layer.macs(whole), layer.macs(counts),
            )
            for layer in self.size.layers
        )  # fmt: skip


def prepare(plain: Plain, example: tuple[torch.Tensor, ...], macs: int | None = None) -> Operation:
    """Find what can be cut; `macs` are those that nasprof counts for the whole network.

    Raises: InputError naming the layer where the network can't be followed.
    """
    assert plain.importance is not None
    groups = find_groups(plain.network, example, plain.importance)
    return Operation(plain.network, groups, size_of(plain.network, example, groups.cuttable, macs))


def counts_for(
    operation: Operation, limits: Mapping[str, float], spread: str, threshold: float | None
) -> list[int]:
    """How many units each group loses: those below the threshold, and more for the limits.

    Raises: InputError when the limits can't be met.
    """
    gone = None if threshold is None else below(operation.groups, threshold)
    return choose(operation.groups, operation.size, limits, spread, gone)
