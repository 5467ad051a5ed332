"""Channels go at random: what every score has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from nasprof.prune._method import Gated, Goal, Importance
from nasprof.prune._scored import Scored
from nasprof.prune._torch_pruning import torch_pruning


@dataclass(frozen=True, slots=True)
class Random:
    """Scores drawn uniformly, by torch's generator."""

    name: str = "random"
    title: str = "random channels"
    structured: bool = True
    trains: bool = False
    needs_limit: bool = True

    def wrap(self, network: nn.Module, example: tuple[torch.Tensor, ...], goal: Goal) -> Gated:
        """Add nothing."""
        return Scored(network, _importance)


def _importance() -> Importance:
    found: Importance = torch_pruning().importance.RandomImportance()
    return found


PLUGIN = Random()
