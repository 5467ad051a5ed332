"""Channels with small weights go: sums of absolute weights over all coupled layers."""

from __future__ import annotations

from nasprof.prune._method import Importance
from nasprof.prune._scored import AsTrained
from nasprof.prune._torch_pruning import torch_pruning


def absolute_weights() -> Importance:
    """Sums of absolute weights, averaged over coupled layers, relative to the mean of the group.

    Source: Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017,
    section 3.1; group sums by torch-pruning.
    """
    found: Importance = torch_pruning().importance.GroupMagnitudeImportance(p=1)
    return found


PLUGIN = AsTrained("l1", "absolute weights", absolute_weights)
