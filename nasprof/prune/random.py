"""Channels go at random: what every score has to beat."""

from __future__ import annotations

from nasprof.prune._method import Importance
from nasprof.prune._scored import AsTrained
from nasprof.prune._torch_pruning import torch_pruning


def chance() -> Importance:
    """Scores drawn uniformly, by torch's generator."""
    found: Importance = torch_pruning().importance.RandomImportance()
    return found


PLUGIN = AsTrained("random", "random channels", chance)
