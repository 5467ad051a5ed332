"""Weights go by learnt probabilities under one budget over all layers (ProbMask)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import nn
from torch.nn.utils import parametrize

from nasprof.evaluate._training import Arrays
from nasprof.prune._bernoulli import BernoulliMask, draw
from nasprof.prune._method import Gated, Goal, Plain
from nasprof.prune._projection import project
from nasprof.prune._scored import no_penalty
from nasprof.prune._sparsity import sparsity_of
from nasprof.prune._weights import Masked, holder, masked, weight_of
from profiler.core.errors import InputError

_RATE = 6e-3
_WARM, _REACHED = 0.16, 0.6
_SAMPLES = 10
_BATCH = 256


def remaining(share: float, final: float) -> float:
    """The share of weights that may stay after a share of the training: 1, cubic, `final`."""
    if share < _WARM:
        return 1.0
    if share >= _REACHED:
        return final
    return final + (1 - final) * (1 - (share - _WARM) / (_REACHED - _WARM)) ** 3


def temperature(share: float) -> float:
    """From 1 at the start to 0.03 at the end."""
    return 0.97 * (1 - share) + 0.03


@dataclass(slots=True)
class ProbMasked:
    """A network whose weights are masked at random, two masks a step; the budget shrinks."""

    network: nn.Module
    layers: Masked
    masks: list[BernoulliMask]
    arrays: Arrays
    frozen: bool = False
    draws: int = 2
    _optimizer: torch.optim.Adam = field(init=False)
    _share: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._optimizer = torch.optim.Adam([mask.probability for mask in self.masks], lr=_RATE)

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam on the probabilities."""
        return self._optimizer

    def penalty(self) -> torch.Tensor:
        """None: the budget is held by projection."""
        return no_penalty()

    def before_step(self, share: float) -> None:
        """Follow the schedules of temperature, budget and rate (cosine)."""
        self._share = share
        for mask in self.masks:
            mask.temperature = temperature(share)
        self._optimizer.param_groups[0]["lr"] = _RATE * (1 + math.cos(math.pi * share)) / 2

    def after_step(self) -> None:
        """Project the probabilities of all layers onto the budget of this step."""
        whole = self.layers.weights
        share = remaining(self._share, self.layers.budget / whole)
        project([mask.probability for mask in self.masks], share * whole)

    def plain(self) -> Plain:
        """Of ten sampled masks multiply that of the least training loss into the weights."""
        project([mask.probability for mask in self.masks], self.layers.budget)
        sampled = [draw(self.masks, self.layers.budget) for _ in range(_SAMPLES)]
        losses = [self._loss(hard) for hard in sampled]
        self._fix(sampled[losses.index(min(losses))])
        for layer in self.layers.layers.values():
            parametrize.remove_parametrizations(layer, "weight")
            weight_of(layer).requires_grad_(not self.frozen)
        return Plain(self.network, None, hold=holder(self.layers.layers), examine=sparsity_of)

    def _fix(self, hard: list[torch.Tensor]) -> None:
        for mask, part in zip(self.masks, hard, strict=True):
            mask.hard = part

    def _loss(self, hard: list[torch.Tensor]) -> float:
        self._fix(hard)
        self.network.eval()
        parts = zip(
            self.arrays.train_images.split(_BATCH),
            self.arrays.train_labels.split(_BATCH),
            strict=True,
        )
        with torch.inference_mode():
            losses = [
                nn.functional.cross_entropy(self.network(images), labels, reduction="sum")
                for images, labels in parts
            ]
        return float(torch.stack(losses).sum())


@dataclass(frozen=True, slots=True)
class ProbMask:
    """Learns for each weight the probability that it stays; `params<=2%` is the budget of all.

    `probmask:supermask` freezes convolutions and linear layers at new random weights and learns
    their masks alone. Beside the paper: a sampled mask never exceeds the budget, the weights follow
    the schedule of the training, and gradients are not clipped.
    Source: Zhou et al., "Effective Sparsification of Neural Networks with Global Sparsity
    Constraint", CVPR 2021, algorithm 1; schedules of the authors' code.
    """

    name: str = "probmask"
    title: str = "single weights by learnt probabilities under one budget (ProbMask)"
    structured: bool = False
    trains: bool = True
    needs_limit: bool = True
    frozen: bool = False

    def made_for(self, argument: str) -> ProbMask:
        """The variant: `probmask:supermask`.

        Raises: InputError when there is none of that name.
        """
        if argument != "supermask":
            raise InputError(f"probmask:{argument}: the one variant is probmask:supermask")
        return replace(self, frozen=True)

    def wrap(self, network: nn.Module, example: tuple[torch.Tensor, ...], goal: Goal) -> Gated:
        """Mask the weights of all convolutions and linear layers.

        Raises: InputError for a limit other than on parameters, or weights that are shared.
        """
        layers = masked(network, goal.limits, self.name)
        masks = []
        for layer in layers.layers.values():
            if self.frozen:
                layer.reset_parameters()
                weight_of(layer).requires_grad_(False)
            mask = BernoulliMask(weight_of(layer))
            parametrize.register_parametrization(layer, "weight", mask)
            masks.append(mask)
        return ProbMasked(network, layers, masks, goal.arrays, self.frozen)


PLUGIN = ProbMask()
