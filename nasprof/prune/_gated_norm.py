"""BatchNorm that whitens groups of channels and multiplies them by gates shared between layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from nasprof.prune import _whitening as equations


@dataclass(frozen=True, slots=True)
class Gating:
    """The constants of the gates: activation threshold, sharpening and temperature."""

    delta: float = 0.05
    kappa: float = 8.0
    tau: float = 0.5


class GatedNorm(nn.Module):
    """Standardises, scales, shifts, whitens (x -> S x), and multiplies by the gates.

    In training S is that of the batch and gates are soft; in evaluation S is its moving average
    and the gates are 0 or 1.
    Shapes: [N, C, ...] to the same.
    """

    def __init__(self, norm: Any, size: int, gating: Gating) -> None:
        super().__init__()
        self.norm, self.size, self.gating = norm, size, gating
        self.momentum = 0.1 if norm.momentum is None else norm.momentum
        eye = torch.eye(size).repeat(norm.num_features // size, 1, 1)
        self.register_buffer("whitener", eye)
        self.parts: list[tuple[Shared, torch.Tensor, torch.Tensor]] = []

    whitener: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        norm = self.norm
        standard = nn.functional.batch_norm(
            x, norm.running_mean, norm.running_var, None, None, self.training, self.momentum,
            norm.eps,
        )  # fmt: skip
        whitener = self.whitener
        if self.training:
            rho = equations.correlation(standard, self.size)
            whitener = equations.inverse_root(equations.covariance(norm.weight, rho))
            # A new tensor: the gates of this step were drawn from the old one and need it.
            self.whitener = self.whitener.lerp(whitener.detach(), self.momentum)
        axes = (-1, *(1,) * (x.ndim - 2))
        scaled = standard * norm.weight.reshape(axes) + norm.bias.reshape(axes)
        whitened = equations.times(whitener, scaled.transpose(0, 1)).transpose(0, 1)
        return whitened * self.gates().reshape(axes)

    def distance(self) -> torch.Tensor:
        """z of each channel by the moving average of S. Shapes: [C]."""
        return equations.distance(
            self.whitener, self.norm.weight, self.norm.bias, self.gating.delta
        )

    def gates(self) -> torch.Tensor:
        """The shared gates of its channels; 1 where a channel is in no group. Shapes: [C]."""
        found = self.norm.weight.new_ones(self.norm.num_features)
        for shared, own, root in self.parts:
            found = found.index_copy(0, own, shared.gates(self.training)[root])
        return found

    def folded(self, layer: Any) -> Any:
        """The layer before it with normalisation, S and hard gates in its weights, and a bias.

        W'' = m S (gamma / sigma) W and b'' = m S (beta + gamma (b - mu) / sigma).
        """
        norm, gates = self.norm, self.gates().detach()
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        bias = torch.zeros_like(norm.bias) if layer.bias is None else layer.bias
        shift = norm.bias + scale * (bias - norm.running_mean)
        axes = (-1, *(1,) * (layer.weight.ndim - 1))
        weight = equations.times(self.whitener, layer.weight * scale.reshape(axes))
        with torch.no_grad():
            layer.weight = nn.Parameter((gates.reshape(axes) * weight).detach())
            layer.bias = nn.Parameter((gates * equations.times(self.whitener, shift)).detach())
        return layer


@dataclass(slots=True, eq=False)
class Shared:
    """The gates of one group of layers, decided by those of its norms that come first.

    A unit is one channel, or one of each of `blocks`. `deciders` are norms with the places of their
    channels and of the group's channels. Once `settled` the gates are these, of each unit.
    """

    name: str
    channels: int
    blocks: int
    deciders: list[tuple[GatedNorm, torch.Tensor, torch.Tensor]] = field(default_factory=list)
    drawn: torch.Tensor | None = None
    settled: torch.Tensor | None = None

    def distances(self) -> list[torch.Tensor]:
        """z of each unit by each decider; a block's worth of z is averaged. Shapes: [units]."""
        found = []
        for norm, own, root in self.deciders:
            z = norm.distance()
            whole = z.new_full((self.channels,), torch.inf).index_copy(0, root, z[own])
            found.append(whole.reshape(self.blocks, -1).mean(0))
        return found

    def distance(self) -> torch.Tensor:
        """The least z of each unit: a unit stays where all deciders keep it."""
        return torch.stack(self.distances()).amin(0)

    def draw(self) -> None:
        """Draw the soft gates of a training step, a product over the deciders."""
        gating, gates = self.deciders[0][0].gating, []
        for z in self.distances():
            chance = equations.activation_probability(z)
            noise = equations.gumbel_difference(len(z))
            gates.append(equations.soft_gate(chance, noise, gating.kappa, gating.tau))
        self.drawn = torch.stack(gates).prod(0).repeat(self.blocks)

    def gates(self, training: bool) -> torch.Tensor:
        """Soft gates of this step, or 1 for units with P > 1/2 and 0 for others. Shapes: [C]."""
        if training and self.settled is None:
            if self.drawn is None:
                self.draw()
            assert self.drawn is not None
            return self.drawn
        kept = self.kept() if self.settled is None else self.settled
        return kept.repeat(self.blocks)

    def kept(self) -> torch.Tensor:
        """1 for units with P > 1/2 and for the best one, else 0. Shapes: [units]."""
        z = self.distance().detach()
        kept = z > 0
        kept[z.argmax()] = True
        return kept.to(z.dtype)

    def scores(self) -> torch.Tensor:
        """1 + P for units that stay and -1 for those that go. Shapes: [units]."""
        chance = equations.activation_probability(self.distance().detach())
        kept = self.kept() if self.settled is None else self.settled
        return torch.where(kept > 0, 1 + chance, -torch.ones_like(chance))


def detached(shared: Sequence[Shared]) -> None:
    """Forget the gates of the last step, which hold its graph."""
    for one in shared:
        one.drawn = None
