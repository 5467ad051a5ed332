"""The training of a network with the gates of a method: one schedule, seeded by the caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from nasprof.evaluate._training import Arrays, Schedule, accuracy
from nasprof.prune._method import Examine, Gated, Plain, nothing

Loss = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]
"""Network, images and labels of a step -> the loss that is made small."""
OnEpoch = Callable[[int], None]


def cross_entropy(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The usual loss of a classifier."""
    return nn.functional.cross_entropy(network(images), labels)


@dataclass(frozen=True, slots=True)
class Bare:
    """A network without gates in training; `hold` is called after each step."""

    network: nn.Module
    hold: Callable[[], None] = nothing
    draws: int = 1
    examine: Examine | None = None

    def optimizer(self) -> None:
        """None: there are no parameters beside the weights."""

    def penalty(self) -> torch.Tensor:
        """Nothing is added to the loss."""
        return torch.zeros(())

    def before_step(self, share: float) -> None:
        """Follow no schedule."""

    def after_step(self) -> None:
        """Hold what is to be held."""
        self.hold()

    def plain(self) -> Plain:
        """The network itself, without scores."""
        return Plain(self.network, None, hold=self.hold, examine=self.examine)


def train(
    gated: Gated,
    arrays: Arrays,
    schedule: Schedule,
    loss: Loss = cross_entropy,
    on_epoch: OnEpoch = lambda epoch: None,
) -> float:
    """Train a network with its gates and return its accuracy, a share of the test images.

    Random numbers are torch's. `on_epoch` gets the number of epochs that are done.
    """
    own = gated.optimizer()
    apart = {id(p) for group in (own.param_groups if own else ()) for p in group["params"]}
    weights = [p for p in gated.network.parameters() if id(p) not in apart and p.requires_grad]
    usual = torch.optim.SGD(
        weights, lr=schedule.rate, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    steps = max(len(arrays.train_labels) // schedule.batch, 1)
    total = schedule.epochs * steps
    cycle = torch.optim.lr_scheduler.OneCycleLR(usual, schedule.rate, total_steps=total)
    optimizers = [usual] if own is None else [usual, own]
    for epoch in range(schedule.epochs):
        gated.network.train()
        order = torch.randperm(len(arrays.train_labels))
        for step, rows in enumerate(order[: steps * schedule.batch].split(schedule.batch)):
            gated.before_step((epoch * steps + step) / total)
            _step(gated, arrays, rows, loss, optimizers)
            cycle.step()
        on_epoch(epoch + 1)
    return accuracy(gated.network, arrays)


def _step(
    gated: Gated,
    arrays: Arrays,
    rows: torch.Tensor,
    loss: Loss,
    optimizers: list[torch.optim.Optimizer],
) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad()
    for _ in range(gated.draws):
        found = loss(gated.network, arrays.train_images[rows], arrays.train_labels[rows])
        (found / gated.draws).backward()
    penalty = gated.penalty()
    if penalty.requires_grad:
        penalty.backward()
    for optimizer in optimizers:
        optimizer.step()
    gated.after_step()
