"""The predictor of Network Coding Propagation: one trunk, a head for each group of metrics."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from nasprof.predict._alone import alone
from nasprof.predict._predictor import (
    MIN_ROWS,
    Array,
    Constant,
    Fitted,
    Predicted,
    residual_quantile,
)

_TRUNK, _HEAD, _DROPOUT = 256, 128, 0.5


@dataclass(frozen=True, slots=True)
class Scale:
    """What turns values into standard units and back. Shapes: centre, spread [d]."""

    centre: Array
    spread: Array

    @classmethod
    def of(cls, values: Array) -> Scale:
        """The scale of columns; one that never changes keeps its unit. Shapes: values [n, d]."""
        spread = values.std(axis=0)
        return cls(values.mean(axis=0), np.where(spread > 0, spread, 1.0))

    def units(self, values: Array) -> Array:
        """Standard units of values [n, d]."""
        return np.asarray((values - self.centre) / self.spread)

    def values(self, units: Array) -> Array:
        """Values of standard units [n, d]."""
        return np.asarray(units * self.spread + self.centre)


@dataclass(frozen=True, slots=True)
class Training:
    """How the network is trained.

    Source: the released code of Ding et al., "Learning Versatile Neural Architectures by
    Propagating Network Codes", ICLR 2022.
    """

    epochs: int = 200
    batch: int = 128
    rate: float = 1e-2
    decay: float = 1e-7


@dataclass(frozen=True, slots=True)
class Held:
    """Rows that are looked at after every epoch, to select the one with the least error on them.

    The release keeps its checkpoint so, by the test part: its figure is then too good by what the
    choice is worth. Shapes: codes [n, d], main [n].
    """

    codes: Array
    main: Array


@dataclass(frozen=True, slots=True)
class NcpModel:
    """A trained network with the scales of its codes and metrics.

    Metric 0 is the main one. `selected` is the network of the epoch that was best on held rows.
    """

    network: NcpNetwork
    codes: Scale
    metrics: Scale
    selected: NcpNetwork | None = None

    def predict(self, codes: Array) -> Array:
        """Every metric of every code; codes [n, d], result [n, metrics]."""
        x = torch.tensor(self.codes.units(codes), dtype=torch.float32)
        with torch.inference_mode(), alone(0):
            parts = [self.network(part) for part in x.split(65_536)]
        return self.metrics.values(torch.cat(parts).numpy().astype(np.float64))


class NcpNetwork(nn.Module):
    """The network: forward [n, d] to [n, metrics], all in standard units."""

    def __init__(self, inputs: int, groups: Sequence[int]) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.BatchNorm1d(inputs),
            nn.Linear(inputs, _TRUNK),
            nn.BatchNorm1d(_TRUNK),
            nn.SiLU(),
            nn.Dropout(_DROPOUT),
        )
        last = len(groups) - 1
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Linear(_TRUNK, _HEAD),
                nn.BatchNorm1d(_HEAD),
                nn.SiLU(),
                # The last group holds costs, which have no noise to guard against.
                nn.Dropout(0.0 if place == last and last > 0 else _DROPOUT),
                nn.Linear(_HEAD, width),
            )
            for place, width in enumerate(groups)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """All metrics of codes; x [n, d], result [n, metrics]."""
        hidden = self.trunk(x)
        return torch.cat([head(hidden) for head in self.heads], dim=1)


def train(
    codes: Array,
    groups: Sequence[Array],
    seed: int,
    *,
    training: Training | None = None,
    held: Held | None = None,
    scales: tuple[Scale, Scale] | None = None,
) -> NcpModel:
    """Train on codes and their metrics; the main metric is the first of the first group.

    The network is that of the last epoch, and `selected` there only with `held`. `scales` of codes
    and metrics are those of the rows unless given (the release takes them from the whole table).
    Shapes: codes [n, d], groups of [n, metrics of the group].
    Source: as `Training`; smooth L1 with beta 1, Adam, one cycle with 30 % rise from a tenth.
    """
    how = training or Training()
    metrics = np.concatenate(groups, axis=1)
    code_scale, metric_scale = scales or (Scale.of(codes), Scale.of(metrics))
    x = torch.tensor(code_scale.units(codes), dtype=torch.float32)
    y = torch.tensor(metric_scale.units(metrics), dtype=torch.float32)
    with alone(seed):
        network = NcpNetwork(x.shape[1], [group.shape[1] for group in groups])
        model = NcpModel(network, code_scale, metric_scale)
        selected = _fit(model, x, y, how, held)
    network.eval()
    network.requires_grad_(False)
    return replace(model, selected=selected)


def _fit(
    model: NcpModel, x: torch.Tensor, y: torch.Tensor, how: Training, held: Held | None
) -> NcpNetwork | None:
    network = model.network
    optimizer = torch.optim.Adam(network.parameters(), lr=how.rate, weight_decay=how.decay)
    sizes = _batch_sizes(len(x), how.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, how.rate, epochs=how.epochs, steps_per_epoch=len(sizes), div_factor=10
    )
    loss_of = nn.SmoothL1Loss()
    best, selected = float("inf"), None
    for _ in range(how.epochs):
        network.train()
        for rows in torch.randperm(len(x)).split(sizes):
            optimizer.zero_grad()
            loss_of(network(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
        if held is not None:
            network.eval()
            error = float(np.abs(model.predict(held.codes)[:, 0] - held.main).mean())
            if error < best:
                best, selected = error, deepcopy(network).requires_grad_(False)
    return selected


def _batch_sizes(count: int, batch: int) -> list[int]:
    """Whole batches and the rest; a single row left over joins the last batch."""
    ends = [*range(batch, count, batch), count]
    if len(ends) > 1 and ends[-1] - ends[-2] == 1:
        del ends[-2]
    return [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]


@dataclass(frozen=True, slots=True)
class _Fitted:
    model: NcpModel
    half_width: float

    def predict(self, x: Array) -> Predicted:
        """Predict rows of features; x [n, d]."""
        mean = self.model.predict(x)[:, 0]
        return Predicted(mean, mean - self.half_width, mean + self.half_width)


@dataclass(frozen=True, slots=True)
class Ncp:
    """The network of NCP with one head, as it is after the last epoch.

    A fifth of the rows is kept from the training, as the release keeps its test part, and gives
    the width of the intervals.
    """

    name: str = "ncp"
    intervals: str = "quantile of the residuals on a fifth of the rows, which were not trained on"
    training: Training = Training()

    def fit(self, x: Array, y: Array, seed: int) -> Fitted:
        """Learn from rows; x [n, d], y [n]."""
        if len(y) < MIN_ROWS:
            return Constant(float(np.mean(y)) if len(y) else 0.0)
        order = np.random.default_rng(seed).permutation(len(y))
        kept_back, rows = np.split(order, [int(np.ceil(0.2 * len(y)))])
        model = train(x[rows], [y[rows, None]], seed, training=self.training)
        residuals = y[kept_back] - model.predict(x[kept_back])[:, 0]
        return _Fitted(model, residual_quantile(residuals))


PLUGIN = Ncp()
