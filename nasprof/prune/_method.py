"""What a pruning method is: gates or penalties in training, then scores of channels or masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from nasprof.evaluate._training import Arrays, Schedule
from nasprof.prune._limits import Limit
from profiler.core.plugins import load, names

PACKAGE = "nasprof.prune"
Importance = Callable[[Any], torch.Tensor]
"""A group of torch-pruning -> one score for each channel of its first layer; low ones go first.

Shapes: [channels]; the modules in the group are those of the network that is cut.
"""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached with which data and training; `seed` seeds all that is random."""

    limits: tuple[Limit, ...]
    arrays: Arrays
    schedule: Schedule
    seed: int = 0


class Findings(Protocol):
    """What masks left of a network in which every channel is still there."""

    def lines(self) -> list[str]: ...
    def table(self) -> str: ...
    def to_json(self) -> dict[str, Any]: ...


Examine = Callable[[nn.Module, tuple[torch.Tensor, ...]], Findings]
"""A network and inputs of batch 1 -> what masks left of it."""


def nothing() -> None:
    """Hold nothing: the fine-tuning may change every weight."""


@dataclass(frozen=True, slots=True)
class Plain:
    """The trained network without gates: they are folded into its weights, or masks multiplied in.

    `importance` scores channels for the surgery; None where weights are masked one by one and no
    channel goes. Channels below `threshold` go where no limit is given. `hold` is called after
    each step of the fine-tuning, so that masked weights stay zero; `examine` looks at the network
    after that, with inputs of batch 1.
    """

    network: nn.Module
    importance: Importance | None
    threshold: float | None = None
    hold: Callable[[], None] = nothing
    examine: Examine | None = None


class Gated(Protocol):
    """A network in training with what one method adds to it."""

    @property
    def network(self) -> nn.Module:
        """What is trained; its forward pass has the gates."""
        ...

    @property
    def draws(self) -> int:
        """Forward passes of a step, whose gradients are averaged (random masks are drawn anew)."""
        ...

    def optimizer(self) -> torch.optim.Optimizer | None:
        """The method's own optimiser for parameters of its own, which the usual one leaves out."""
        ...

    def penalty(self) -> torch.Tensor:
        """What is added to the loss of a step; a scalar."""
        ...

    def before_step(self, share: float) -> None:
        """Follow a schedule; `share` of the training, in [0, 1), is done."""
        ...

    def after_step(self) -> None:
        """Change parameters after the optimisers did, for example project them."""
        ...

    def plain(self) -> Plain:
        """End the training: a network of its own without gates, and the scores of its channels."""
        ...


class Method(Protocol):
    """A pruning method; `structured` ones remove channels, others mask single weights.

    `trains` says whether its gates or penalties need a training; else the trained network is
    scored as it is. Without a limit a method that has no `needs_limit` follows a rule of its own.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def structured(self) -> bool: ...
    @property
    def trains(self) -> bool: ...
    @property
    def needs_limit(self) -> bool: ...
    def wrap(self, network: nn.Module, example: tuple[torch.Tensor, ...], goal: Goal) -> Gated:
        """Add the gates to a network, which is changed; `example` are inputs of batch 1.

        Raises: InputError naming the layer that the method can't take.
        """
        ...


def methods() -> tuple[str, ...]:
    """The methods that there are."""
    return names(PACKAGE)


def open_method(name: str) -> Method:
    """Find a method.

    Raises: InputError that lists the methods when there is none of that name.
    """
    found: Method = load(PACKAGE, name)
    return found
