"""The equations of batch-whitening channel pruning (BWCP).

Source: Shao et al., "BWCP: Probabilistic Learning-to-Prune Channels for ConvNets via Batch
Whitening", arXiv 2105.06423; the number of Newton steps is that of Huang et al., "Iterative
Normalization", CVPR 2019.
Shapes: C channels lie in G groups of n each; S and covariances are [G, n, n].
"""

from __future__ import annotations

import math

import torch

NEWTON_STEPS = 5
_LEAST = 1e-12


def correlation(standard: torch.Tensor, size: int) -> torch.Tensor:
    """Mean over images and places of the products of standardised channels, group by group.

    The diagonal is 1 by definition, also for a channel that never changes.
    Shapes: [N, C, ...] to [G, size, size].
    """
    flat = standard.transpose(0, 1).flatten(1)
    grouped = flat.reshape(-1, size, flat.shape[1])
    found = grouped @ grouped.transpose(1, 2) / flat.shape[1]
    return found + torch.diag_embed(1 - found.diagonal(dim1=1, dim2=2))


def covariance(gamma: torch.Tensor, rho: torch.Tensor) -> torch.Tensor:
    """The covariance of scaled channels divided by its trace: (gamma gamma^T * rho) / |gamma|^2."""
    scale = gamma.reshape(rho.shape[0], rho.shape[1])
    trace = scale.square().sum(1).clamp_min(_LEAST)
    return scale[:, :, None] * scale[:, None, :] * rho / trace[:, None, None]


def inverse_root(sigma: torch.Tensor, steps: int = NEWTON_STEPS) -> torch.Tensor:
    """Newton's iteration S <- (3 S - S^3 sigma) / 2 from the identity, towards sigma^(-1/2).

    It converges for positive eigenvalues below 3, which a trace of 1 ensures.
    """
    found = torch.eye(sigma.shape[-1], dtype=sigma.dtype, device=sigma.device).expand_as(sigma)
    for _ in range(steps):
        found = 0.5 * (3 * found - found @ found @ found @ sigma)
    return found


def times(whitener: torch.Tensor, channels: torch.Tensor) -> torch.Tensor:
    """S applied to the first axis: [C, ...] to [C, ...]."""
    groups, size, _ = whitener.shape
    grouped = channels.reshape(groups, size, -1)
    return (whitener @ grouped).reshape(channels.shape)


def distance(
    whitener: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, delta: float
) -> torch.Tensor:
    """z = (S beta - delta) / |S gamma|: how many deviations a channel's mean lies above delta.

    P = Phi(z) is the probability that a channel is active; it is above 1/2 iff S beta > delta.
    Shapes: [C].
    """
    return (times(whitener, beta) - delta) / times(whitener, gamma).abs().clamp_min(1e-6)


def activation_probability(z: torch.Tensor) -> torch.Tensor:
    """P = (1 + erf(z / sqrt 2)) / 2."""
    return 0.5 * (1 + torch.erf(z / math.sqrt(2)))


def soft_gate(
    probability: torch.Tensor, noise: torch.Tensor, kappa: float, tau: float
) -> torch.Tensor:
    """A Gumbel gate in (0, 1): sigma((logit P + noise) / tau).

    `noise` is the difference of two Gumbel variables. P is first sharpened to
    sigma(kappa (P - 1/2)), whose logit is kappa (P - 1/2); with a `kappa` of 0 it stays as it is.
    """
    sharpened = kappa * (probability - 0.5)
    logit = sharpened if kappa > 0 else torch.logit(probability, eps=1e-6)
    return torch.sigmoid((logit + noise) / tau)


def gumbel_difference(count: int) -> torch.Tensor:
    """The difference of two Gumbel variables is logistic; by torch's generator."""
    return torch.logit(torch.rand(count), eps=1e-7)
