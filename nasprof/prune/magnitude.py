"""Single weights go that are small, over all layers at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from nasprof.prune._method import Gated, Goal
from nasprof.prune._sparsity import sparsity_of
from nasprof.prune._training import Bare
from nasprof.prune._weights import holder, masked, weight_of


@dataclass(frozen=True, slots=True)
class Magnitude:
    """Keeps the largest absolute weights of the trained network, `params<=5%` of them.

    Source: Han et al., "Learning both Weights and Connections for Efficient Neural Networks",
    NIPS 2015, section 3; one threshold for all layers.
    """

    name: str = "magnitude"
    title: str = "single weights by absolute value over all layers"
    structured: bool = False
    trains: bool = False
    needs_limit: bool = True

    def wrap(self, network: nn.Module, example: tuple[torch.Tensor, ...], goal: Goal) -> Gated:
        """Set the smallest weights to zero.

        Raises: InputError for a limit other than on parameters, or weights that are shared.
        """
        found = masked(network, goal.limits, self.name)
        weights = [weight_of(layer) for layer in found.layers.values()]
        sizes = torch.cat([weight.detach().abs().flatten() for weight in weights])
        kept = torch.zeros_like(sizes, dtype=torch.bool)
        kept[sizes.topk(found.budget).indices] = True
        with torch.no_grad():
            parts = kept.split([weight.numel() for weight in weights])
            for weight, part in zip(weights, parts, strict=True):
                weight.mul_(part.view_as(weight))
        return Bare(network, holder(found.layers), examine=sparsity_of)


PLUGIN = Magnitude()
