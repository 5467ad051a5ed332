"""Weights times random masks whose probabilities are learnt."""

from __future__ import annotations

import torch
from torch import nn

_TINY = 1e-12


def soft_mask(probability: torch.Tensor, noise: torch.Tensor, temperature: float) -> torch.Tensor:
    """A relaxed Bernoulli sample: sigmoid((logit(p) + noise) / temperature).

    `noise` is the difference of two Gumbel variables. At temperature 1 the chance of a value above
    one half is p; towards 0 the sample becomes 0 or 1.
    """
    logit = torch.log(probability + _TINY) - torch.log(1 - probability + _TINY)
    return torch.sigmoid((logit + noise) / temperature)


def gumbel_difference(like: torch.Tensor) -> torch.Tensor:
    """The difference of two Gumbel variables, which is logistic, for each entry."""
    uniform = torch.rand_like(like).clamp_(1e-7, 1 - 1e-7)
    return torch.log(uniform) - torch.log1p(-uniform)


class BernoulliMask(nn.Module):
    """A parametrisation of a weight: a new mask at each use in training.

    In evaluation the weight is taken times `hard` where that is set, else times its probability.
    """

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.probability = nn.Parameter(torch.ones_like(weight))
        self.temperature = 1.0
        self.hard: torch.Tensor | None = None

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The masked weight."""
        if self.hard is not None:
            return weight * self.hard
        if not self.training:
            return weight * self.probability
        noise = gumbel_difference(self.probability.detach())
        return weight * soft_mask(self.probability, noise, self.temperature)


def draw(masks: list[BernoulliMask], budget: int) -> list[torch.Tensor]:
    """Sample hard masks that keep to the budget together.

    Where a sample has more weights, those of the smallest probability go.
    """
    probabilities = [mask.probability.detach() for mask in masks]
    flat = torch.cat([p.flatten() for p in probabilities])
    kept = torch.bernoulli(flat)
    surplus = int(kept.sum()) - budget
    if surplus > 0:
        there = kept.nonzero().flatten()
        kept[there[flat[there].argsort(stable=True)[:surplus]]] = 0
    parts = kept.split([p.numel() for p in probabilities])
    return [part.view_as(p) for part, p in zip(parts, probabilities, strict=True)]
