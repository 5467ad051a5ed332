"""The nearest point with entries in [0, 1] and a sum of at most a budget."""

from __future__ import annotations

from collections.abc import Sequence

import torch

_HALVINGS = 60


def project(parts: Sequence[torch.Tensor], budget: float) -> None:
    """Replace tensors, taken together as one vector, by its Euclidean projection.

    The projection is clip(s - v, 0, 1) with the one v >= 0 that makes the sum the budget; v is 0
    where clip(s, 0, 1) keeps to it already. v is found by bisection in double precision.
    Source: Zhou et al., "Effective Sparsification of Neural Networks with Global Sparsity
    Constraint", CVPR 2021, theorem 1.
    """
    with torch.no_grad():
        whole = torch.cat([part.detach().flatten() for part in parts]).double()
        shift = _shift(whole, budget)
        for part in parts:
            part.copy_((part.double() - shift).clamp_(0, 1))


def _shift(whole: torch.Tensor, budget: float) -> float:
    if float(whole.clamp(0, 1).sum()) <= budget:
        return 0.0
    low, high = 0.0, max(float(whole.max()), 0.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if float((whole - middle).clamp_(0, 1).sum()) > budget:
            low = middle
        else:
            high = middle
    return high
