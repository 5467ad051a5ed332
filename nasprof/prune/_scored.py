"""Methods that score a trained network as it is, or after a training with a simple penalty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from nasprof.prune._method import Gated, Goal, Importance, Plain


def no_penalty() -> torch.Tensor:
    """Add nothing to the loss."""
    return torch.zeros(())


@dataclass(frozen=True, slots=True)
class Scored:
    """A network without gates whose channels `importance` scores in the end."""

    network: nn.Module
    importance: Callable[[], Importance]
    penalise: Callable[[], torch.Tensor] = no_penalty
    draws: int = 1

    def optimizer(self) -> None:
        """None: there are no parameters beside the weights."""

    def penalty(self) -> torch.Tensor:
        """The penalty of the method, a scalar."""
        return self.penalise()

    def before_step(self, share: float) -> None:
        """Follow no schedule."""

    def after_step(self) -> None:
        """Change nothing."""

    def plain(self) -> Plain:
        """The network itself with its scores."""
        return Plain(self.network, self.importance())


@dataclass(frozen=True, slots=True)
class AsTrained:
    """A method that scores the channels of the trained network and adds nothing to it."""

    name: str
    title: str
    importance: Callable[[], Importance]
    structured: bool = True
    trains: bool = False
    needs_limit: bool = True

    def wrap(self, network: nn.Module, example: tuple[torch.Tensor, ...], goal: Goal) -> Gated:
        """Add nothing."""
        return Scored(network, self.importance)
