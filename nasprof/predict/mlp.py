"""A small neural network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from nasprof.predict._folds import FOLD_INTERVALS, Model, fit_folds
from nasprof.predict._predictor import Array, Fitted


@dataclass(frozen=True, slots=True)
class Mlp:
    """WeakNAS's network: four hidden ReLU layers, Adam 1e-3, L2 1e-4, batches of min(200, n).

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
        return fit_folds(self._fit_one, x, y, seed)

    def _fit_one(self, x: Array, y: Array, seed: int) -> Model:
        centre, scale = float(y.mean()), float(y.std()) or 1.0
        inputs = torch.tensor(x, dtype=torch.float32)
        targets = torch.tensor((y - centre) / scale, dtype=torch.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self._network(inputs.shape[1])
            self._train(network, inputs, targets)

        def predict(rows: Array) -> Array:
            with torch.inference_mode():
                out = network(torch.tensor(rows, dtype=torch.float32))[:, 0]
            return np.asarray(out.numpy(), dtype=np.float64) * scale + centre

        return predict

    def _network(self, inputs: int) -> nn.Sequential:
        widths = [inputs] + [self.width] * self.layers
        hidden = [
            part
            for i in range(self.layers)
            for part in (nn.Linear(widths[i], widths[i + 1]), nn.ReLU())
        ]
        return nn.Sequential(*hidden, nn.Linear(self.width, 1))

    def _train(self, network: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-4)
        for _ in range(self.epochs):
            for batch in torch.randperm(len(targets)).split(min(200, len(targets))):
                loss = nn.functional.mse_loss(network(inputs[batch])[:, 0], targets[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()


PLUGIN = Mlp()
