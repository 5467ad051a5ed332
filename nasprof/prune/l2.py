"""Channels with small weights go: sums of squared weights over all coupled layers."""

from __future__ import annotations

from nasprof.prune._method import Importance
from nasprof.prune._scored import AsTrained
from nasprof.prune._torch_pruning import torch_pruning


def squared_weights() -> Importance:
    """Sums of squared weights, averaged over coupled layers, relative to the mean of the group.

    Source: Fang et al., "DepGraph", CVPR 2023, section 3.3, as torch-pruning has it.
    """
    found: Importance = torch_pruning().importance.GroupMagnitudeImportance(p=2)
    return found


PLUGIN = AsTrained("l2", "squared weights", squared_weights)
