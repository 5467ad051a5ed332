"""Channels with small weights go: sums of squared weights over all coupled layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from nasprof.prune._method import Gated, Goal, Importance
from nasprof.prune._scored import Scored
from nasprof.prune._torch_pruning import torch_pruning


@dataclass(frozen=True, slots=True)
class L2:
    """Sums of squared weights, averaged over coupled layers, relative to the mean of the group.

    Source: Fang et al., "DepGraph", CVPR 2023, section 3.3, as torch-pruning has it.
    """

    name: str = "l2"
    title: str = "squared weights"
    structured: bool = True
    trains: bool = False
    needs_limit: bool = True

    def wrap(self, network: nn.Module, example: tuple[torch.Tensor, ...], goal: Goal) -> Gated:
        """Add nothing."""
        return Scored(network, _importance)


def _importance() -> Importance:
    found: Importance = torch_pruning().importance.GroupMagnitudeImportance(p=2)
    return found


PLUGIN = L2()
