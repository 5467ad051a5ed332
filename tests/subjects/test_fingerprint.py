from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import fx, nn

from nasprof.subjects._fingerprint import fingerprint


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(2)
        self.stride = 2
        self.act: Any = torch.relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.act(self.norm(self.linear(x)))
        return out

    def helper(self) -> None:
        """A method to refer to."""


def net() -> Net:
    torch.manual_seed(0)
    return Net()


def edited(edit: Callable[[Net], object]) -> str | None:
    module = net()
    edit(module)
    return fingerprint(module)


def double(x: torch.Tensor) -> torch.Tensor:
    return 2 * x


def test_equal_modules_have_equal_fingerprints() -> None:
    assert fingerprint(net()) is not None
    assert fingerprint(net()) == fingerprint(net()) == fingerprint(copy.deepcopy(net()))


def test_mode_and_gradients_are_no_part_of_it() -> None:
    module = net()
    before = fingerprint(module)
    module.eval()
    module(torch.zeros(1, 3)).sum().backward()
    assert fingerprint(module) == before


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m.linear.weight.data[0, 0].add_(1e-6),
        lambda m: m.norm.running_mean.add_(1e-6),
        lambda m: setattr(m, "stride", 3),
        lambda m: setattr(m, "act", nn.functional.gelu),
        lambda m: setattr(m, "act", double),
        lambda m: setattr(m, "act", functools.partial(nn.functional.softmax, dim=1)),
        lambda m: setattr(m, "act", m.helper),
        lambda m: setattr(m, "table", np.arange(3)),
        lambda m: setattr(m, "kept", torch.zeros(2)),
        lambda m: setattr(m.norm, "eps", 1e-3),
        lambda m: m.register_forward_hook(double),
        lambda m: m.add_module("more", nn.ReLU()),
        lambda m: m.linear.to(torch.float64),
    ],
)
def test_what_changes_the_outputs_changes_it(edit: Callable[[Net], object]) -> None:
    changed = edited(edit)
    assert changed is not None
    assert changed != fingerprint(net())


def test_a_partial_with_other_arguments_is_another() -> None:
    one, two = (functools.partial(nn.functional.softmax, dim=d) for d in (0, 1))
    assert edited(lambda m: setattr(m, "act", one)) != edited(lambda m: setattr(m, "act", two))


def closure(factor: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def scaled(x: torch.Tensor) -> torch.Tensor:
        return factor * x

    return scaled


def test_what_a_function_closes_over_counts() -> None:
    two, three = (edited(lambda m, f=f: setattr(m, "act", closure(f))) for f in (2.0, 3.0))  # type: ignore[misc]
    assert two != three


@pytest.mark.parametrize("value", [object(), np.array([object()]), torch.Generator()])
def test_what_cannot_be_described_gives_none(value: object) -> None:
    assert edited(lambda m: setattr(m, "unknown", value)) is None


def test_generated_code_gives_none() -> None:
    assert fingerprint(fx.symbolic_trace(nn.Sequential(nn.ReLU()))) is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch calls scripting deprecated
        assert fingerprint(torch.jit.script(nn.Sequential(nn.ReLU()))) is None
    spaces: dict[str, Any] = {"nn": nn}
    exec("class Typed(nn.Module):\n    def forward(self, x): return x", spaces)  # noqa: S102
    assert fingerprint(spaces["Typed"]()) is None
