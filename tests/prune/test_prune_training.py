"""The training with gates: order of the hooks, averaged draws, parameters of a method's own."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from exporters.seeding import seeded
from nasprof.evaluate._training import Arrays, Schedule
from nasprof.prune._method import Plain
from nasprof.prune._training import Bare, cross_entropy, train


def arrays(images: int = 8) -> Arrays:
    with seeded(0):
        x = torch.randn(images, 1, 2, 2)
    y = torch.arange(images) % 2
    return Arrays(x, y, x, y)


def network() -> nn.Module:
    with seeded(1):
        return nn.Sequential(nn.Flatten(), nn.Linear(4, 2))


@dataclass
class Recording:
    """A gate that scales the scores, with an optimiser of its own, and notes what is called."""

    inner: nn.Module
    draws: int = 1
    calls: list[str] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate = nn.Parameter(torch.ones(()))
        self.network = _Scaled(self.inner, self.gate, self.calls)
        self.own = torch.optim.SGD([self.gate], lr=0.5)

    def optimizer(self) -> torch.optim.Optimizer:
        return self.own

    def penalty(self) -> torch.Tensor:
        self.calls.append("penalty")
        return 2 * self.gate

    def before_step(self, share: float) -> None:
        self.calls.append("before")
        self.shares.append(share)

    def after_step(self) -> None:
        self.calls.append("after")

    def plain(self) -> Plain:
        return Plain(self.inner, None)


class _Scaled(nn.Module):
    def __init__(self, inner: nn.Module, gate: nn.Parameter, calls: list[str]) -> None:
        super().__init__()
        self.inner, self.gate, self.calls = inner, gate, calls

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.calls.append("forward")
        return self.inner(x) * self.gate.detach()


def test_the_hooks_come_in_order_and_follow_the_training() -> None:
    gated = Recording(network(), draws=2)
    train(gated, arrays(), Schedule(epochs=2, batch=4))
    assert gated.calls == ["before", "forward", "forward", "penalty", "after"] * 4
    assert gated.shares == [0, 0.25, 0.5, 0.75]


def test_parameters_of_a_method_follow_its_own_optimiser_alone() -> None:
    gated = Recording(network())
    train(gated, arrays(), Schedule(epochs=1, batch=8))
    # The loss does not reach the gate: one step of rate 0.5 down the penalty's gradient of 2.
    assert float(gated.gate.detach()) == 0.0


def test_draws_are_averaged_not_added() -> None:
    trained = []
    for draws in (1, 3):
        gated = Bare(network(), draws=draws)
        with seeded(2):
            train(gated, arrays(), Schedule(epochs=2, batch=4))
        trained.append(torch.cat([p.detach().flatten() for p in gated.network.parameters()]))
    torch.testing.assert_close(*trained)


def test_a_bare_training_is_that_of_accuracies() -> None:
    usual, bare = network(), network()
    with seeded(3):
        expected = Schedule(epochs=3, batch=4).fit(usual, arrays())
    with seeded(3):
        assert train(Bare(bare), arrays(), Schedule(epochs=3, batch=4)) == expected
    for one, other in zip(usual.parameters(), bare.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_is_held_stays_held_through_the_training() -> None:
    net = network()
    weight = net[1].weight

    def hold() -> None:
        with torch.no_grad():
            weight[0] = 0

    train(Bare(net, hold), arrays(), Schedule(epochs=2, batch=4))
    assert not weight[0].any()
    assert weight[1].all()


def test_the_loss_can_be_another() -> None:
    seen = []

    def loss(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.append(len(labels))
        return cross_entropy(net, images, labels)

    train(Bare(network()), arrays(), Schedule(epochs=1, batch=4), loss)
    assert seen == [4, 4]
