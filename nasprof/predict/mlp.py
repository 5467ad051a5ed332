"""A small neural network."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from nasprof.predict._alone import alone
from nasprof.predict._folds import FOLD_INTERVALS, FOLDS, folds, from_folds
from nasprof.predict._predictor import MIN_ROWS, Array, Constant, Fitted


@dataclass(frozen=True, slots=True)
class Mlp:
    """WeakNAS's network: four hidden ReLU layers, Adam 1e-3, L2 1e-4, batches of min(200, n).

    The networks of all folds train at once.
    Source: WeakNAS (Wu et al., 2021), which has 1,000 units a layer and 100 epochs; 256 units rank
    nearly as well on NAS-Bench-201 in a small part of the time.
    """

    name: str = "mlp"
    intervals: str = FOLD_INTERVALS
    width: int = 256
    layers: int = 4
    epochs: int = 100

    def fit(self, x: Array, y: Array, seed: int) -> Fitted:
        """Learn from rows; x [n, d], y [n]."""
        if len(y) < MIN_ROWS:
            return Constant(float(np.mean(y)) if len(y) else 0.0)
        fold_of = folds(len(y), seed)
        centre, scale = float(y.mean()), float(y.std()) or 1.0
        inputs = torch.tensor(x, dtype=torch.float32)
        targets = torch.tensor((y - centre) / scale, dtype=torch.float32)
        with alone(seed):
            networks = _Networks(FOLDS, [x.shape[1], *[self.width] * self.layers, 1])
            self._train(networks, inputs, targets, fold_of)

        def predict(rows: Array) -> Array:
            return networks.scores(rows) * scale + centre

        return from_folds(predict, x, y, fold_of)

    def _train(
        self,
        networks: _Networks,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        fold_of: np.ndarray,
    ) -> None:
        optimizer = torch.optim.Adam(networks.parameters(), lr=1e-3, weight_decay=1e-4)
        kept = [torch.from_numpy(np.flatnonzero(fold_of != fold)) for fold in range(FOLDS)]
        # Folds differ by at most one row: the larger ones leave out another row every epoch.
        rows = min(len(part) for part in kept)
        for _ in range(self.epochs):
            orders = torch.stack([part[torch.randperm(len(part))[:rows]] for part in kept])
            for batch in orders.split(min(200, rows), dim=1):
                loss = ((networks(inputs[batch]) - targets[batch]) ** 2).mean(dim=1).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()


class _Networks(nn.Module):
    """Several networks of one shape side by side.

    Shapes: forward x [networks, n, d] to [networks, n].
    """

    def __init__(self, count: int, widths: list[int]) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        # As nn.Linear does: weights and biases uniform within 1/sqrt(inputs).
        self.weights = nn.ParameterList(
            (torch.rand(count, a, b) * 2 - 1) / a**0.5 for a, b in pairs
        )
        self.biases = nn.ParameterList((torch.rand(count, 1, b) * 2 - 1) / a**0.5 for a, b in pairs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        last = len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            x = x if i == last else x.relu()
        return x[..., 0]

    def scores(self, rows: Array) -> Array:
        """Scores of each network; rows [n, d], result [networks, n]."""
        x = torch.tensor(rows, dtype=torch.float32)
        with torch.inference_mode(), alone(0):
            parts = [self(part.expand(len(self.biases[0]), *part.shape)) for part in x.split(4096)]
        return np.asarray(torch.cat(parts, dim=1).numpy(), dtype=np.float64)


PLUGIN = Mlp()
