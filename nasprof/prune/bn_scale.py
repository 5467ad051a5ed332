"""Channels go whose BatchNorm scale a penalty made small (network slimming)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from nasprof.prune._method import Gated, Goal, Importance
from nasprof.prune._scored import Scored
from nasprof.prune._torch_pruning import torch_pruning
from profiler.core.errors import InputError

_BATCH_NORM = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True, slots=True)
class BnScale:
    """Trains with `strength` x sum of |scale| and ranks the scales of all layers as they are.

    Layers without BatchNorm keep their channels.
    Source: Liu et al., "Learning Efficient Convolutional Networks through Network Slimming",
    ICCV 2017, equation 1 and section 3; averages over coupled layers by torch-pruning.
    """

    name: str = "bn-scale"
    title: str = "BatchNorm scales under a penalty (network slimming)"
    structured: bool = True
    trains: bool = True
    needs_limit: bool = True
    strength: float = 1e-3

    def made_for(self, argument: str) -> BnScale:
        """The method with another strength of the penalty: `bn-scale:1e-4`.

        Raises: InputError when that is no number of 0 or more.
        """
        try:
            strength = float(argument)
        except ValueError:
            strength = -1.0
        if not 0 <= strength < float("inf"):
            raise InputError(f"bn-scale:{argument}: give a strength such as bn-scale:1e-4")
        return replace(self, strength=strength)

    def wrap(self, network: nn.Module, example: tuple[torch.Tensor, ...], goal: Goal) -> Gated:
        """Add the penalty.

        Raises: InputError when the network has no BatchNorm with a scale.
        """
        scales = [
            module.weight
            for module in network.modules()
            if isinstance(module, _BATCH_NORM) and module.affine
        ]
        if not scales:
            raise InputError("bn-scale needs BatchNorm layers, and the network has none")
        return Scored(network, _importance, partial(_penalty, scales, self.strength))


def _penalty(scales: list[torch.Tensor], strength: float) -> torch.Tensor:
    return strength * torch.stack([scale.abs().sum() for scale in scales]).sum()


def _importance() -> Importance:
    # Not relative to the group's mean: a layer whose scales are all small may go.
    found: Importance = torch_pruning().importance.BNScaleImportance(normalizer=None)
    return found


PLUGIN = BnScale()
