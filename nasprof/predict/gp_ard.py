"""A Gaussian process with a length scale for each feature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nasprof.predict._alone import alone
from nasprof.predict._predictor import (
    MIN_ROWS,
    Array,
    Constant,
    Fitted,
    Predicted,
    residual_quantile,
)

_CHUNK = 10_000
_STEPS, _RATE = 60, 0.1


@dataclass(frozen=True, slots=True)
class _Posterior:
    """Shapes: x [n, d] in units of the length scales, weights [n], factor [n, n]."""

    x: torch.Tensor
    unit: torch.Tensor
    weights: torch.Tensor
    factor: torch.Tensor
    noise: float
    centre: float
    scale: float
    widening: float

    def predict(self, x: Array) -> Predicted:
        """Predict rows of features; x [n, d]."""
        rows = torch.from_numpy(np.asarray(x, dtype=np.float64)) * self.unit
        with torch.inference_mode(), alone(0):
            parts = [self._chunk(part) for part in rows.split(_CHUNK)]
        mean = self.centre + self.scale * torch.cat([part[0] for part in parts]).numpy()
        half = self.widening * self.scale * torch.cat([part[1] for part in parts]).numpy()
        return Predicted(mean, mean - half, mean + half)

    def _chunk(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        cross = _kernel(rows, self.x)
        known = torch.linalg.solve_triangular(self.factor, cross.T, upper=False)
        variance = (1 + self.noise - (known**2).sum(dim=0)).clamp_min(1e-12)
        return cross @ self.weights, variance.sqrt()


@dataclass(frozen=True, slots=True)
class ArdGaussianProcess:
    """A Matern-5/2 kernel whose length scales say how much each feature matters.

    Length scales and noise climb the marginal likelihood on at most `tuned_rows` rows; the
    posterior is that of at most `max_rows`. Rows beyond are left out at random by the seed.
    Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, 5.9.
    """

    name: str = "gp-ard"
    intervals: str = (
        "posterior deviation times the quantile of the leave-one-out standardised residuals"
    )
    max_rows: int = 3000
    tuned_rows: int = 600

    def fit(self, x: Array, y: Array, seed: int) -> Fitted:
        """Learn from rows; x [n, d], y [n]."""
        if len(y) < MIN_ROWS:
            return Constant(float(np.mean(y)) if len(y) else 0.0)
        order = np.random.default_rng(seed).permutation(len(y))[: self.max_rows]
        spread = x.std(axis=0)
        centre, scale = float(y.mean()), float(y.std()) or 1.0
        unit = torch.from_numpy(np.where(spread > 0, 1 / np.where(spread > 0, spread, 1.0), 0.0))
        rows = torch.from_numpy(np.asarray(x[order], dtype=np.float64)) * unit
        values = torch.from_numpy((y[order] - centre) / scale)
        with alone(seed):
            lengths, noise = _tune(rows[: self.tuned_rows], values[: self.tuned_rows])
            return _posterior(rows / lengths, unit / lengths, values, noise, centre, scale)


def _tune(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Length scales and noise of a great marginal likelihood; the signal's variance is free."""
    logs = torch.full((x.shape[1] + 1,), float(np.log(2 * x.shape[1] ** 0.5)), dtype=torch.float64)
    logs[-1] = float(np.log(0.3))
    logs.requires_grad_(True)
    optimizer = torch.optim.Adam([logs], lr=_RATE)
    for _ in range(_STEPS):
        optimizer.zero_grad()
        noise = logs[-1].exp() + 1e-4
        factor = torch.linalg.cholesky(
            _kernel(x / logs[:-1].exp(), x / logs[:-1].exp()) + noise * torch.eye(len(x))
        )
        inner = torch.linalg.solve_triangular(factor, y[:, None], upper=False)[:, 0]
        # A weak prior keeps features that say nothing from staying in.
        prior = 0.02 * (logs[:-1] - 2.0).pow(2).sum()
        loss = (
            0.5 * len(y) * (inner**2).mean().clamp_min(1e-10).log()
            + factor.diagonal().log().sum()
            + prior
        )
        loss.backward()
        optimizer.step()
    return logs[:-1].detach().exp(), float(logs[-1].detach().exp()) + 1e-4


def _posterior(
    x: torch.Tensor,
    unit: torch.Tensor,
    y: torch.Tensor,
    noise: float,
    centre: float,
    scale: float,
) -> _Posterior:
    factor = torch.linalg.cholesky(_kernel(x, x) + noise * torch.eye(len(x)))
    weights = torch.cholesky_solve(y[:, None], factor)[:, 0]
    diagonal = torch.cholesky_inverse(factor).diagonal()
    # Leave-one-out residual over its deviation, which takes the kernel's variance for 1; the
    # widening makes up for that.
    widening = residual_quantile((weights / diagonal.sqrt()).numpy())
    return _Posterior(x, unit, weights, factor, noise, centre, scale, widening)


def _kernel(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    squared = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2 * one @ other.T
    scaled = (5 * squared.clamp_min(1e-12)).sqrt()
    return (1 + scaled + scaled**2 / 3) * (-scaled).exp()


PLUGIN = ArdGaussianProcess()
