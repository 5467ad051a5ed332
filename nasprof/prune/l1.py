"""Channels with small weights go: sums of absolute weights over all coupled layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from nasprof.prune._method import Gated, Goal, Importance
from nasprof.prune._scored import Scored
from nasprof.prune._torch_pruning import torch_pruning


@dataclass(frozen=True, slots=True)
class L1:
    """Sums of absolute weights, averaged over coupled layers, relative to the mean of the group.

    Source: Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017,
    section 3.1; group sums by torch-pruning.
    """

    name: str = "l1"
    title: str = "absolute weights"
    structured: bool = True
    trains: bool = False
    needs_limit: bool = True

    def wrap(self, network: nn.Module, example: tuple[torch.Tensor, ...], goal: Goal) -> Gated:
        """Add nothing."""
        return Scored(network, absolute_weights)


def absolute_weights() -> Importance:
    """The scores, by torch-pruning."""
    found: Importance = torch_pruning().importance.GroupMagnitudeImportance(p=1)
    return found


PLUGIN = L1()
