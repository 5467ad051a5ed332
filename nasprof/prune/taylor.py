"""Channels go whose removal changes the loss least, to first order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from nasprof.evaluate._training import Arrays
from nasprof.prune._method import Gated, Goal, Importance
from nasprof.prune._scored import Scored
from nasprof.prune._torch_pruning import torch_pruning


@dataclass(frozen=True, slots=True)
class Taylor:
    """Sums of |weight x gradient| over coupled layers, relative to the mean of the group.

    The gradient is that of the loss over all images that are trained on.
    Source: Molchanov et al., "Importance Estimation for Neural Network Pruning", CVPR 2019,
    equation 8; group sums by torch-pruning.
    """

    name: str = "taylor"
    title: str = "first-order change of the loss"
    structured: bool = True
    trains: bool = False
    needs_limit: bool = True

    def wrap(self, network: nn.Module, example: tuple[torch.Tensor, ...], goal: Goal) -> Gated:
        """Add nothing."""
        return Scored(network, partial(_importance, network, goal.arrays, goal.schedule.batch))


def _importance(network: nn.Module, arrays: Arrays, batch: int) -> Importance:
    network.eval()
    network.zero_grad()
    whole = len(arrays.train_labels)
    for rows in torch.arange(whole).split(batch):
        scores = network(arrays.train_images[rows])
        loss = nn.functional.cross_entropy(scores, arrays.train_labels[rows], reduction="sum")
        (loss / whole).backward()
    for parameter in network.parameters():
        if parameter.grad is None:  # the library multiplies by it
            parameter.grad = torch.zeros_like(parameter)
    found: Importance = torch_pruning().importance.GroupTaylorImportance()
    return found


PLUGIN = Taylor()
