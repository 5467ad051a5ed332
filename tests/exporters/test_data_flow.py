from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from exporters.data_flow import run_watched


class Calls(nn.Module):
    def __init__(self, code: Callable[[Calls, torch.Tensor], Any]) -> None:
        super().__init__()
        self.code = code
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: torch.Tensor) -> Any:
        return self.code(self, x)


def reads(code: Callable[[Calls, torch.Tensor], Any]) -> tuple[str, ...]:
    with torch.no_grad():
        return run_watched(Calls(code), (torch.ones(2, 3),))[1]


def buffered(net: Calls, x: torch.Tensor) -> Any:
    kept = torch.zeros(3)
    kept[:] = x[0]
    return int(kept.sum())


@pytest.mark.parametrize(
    "code",
    [
        lambda net, x: x if x.sum() > 0 else -x,
        lambda net, x: x * x.max().item(),
        lambda net, x: x * x.tolist()[0][0],
        lambda net, x: x if x.detach().cpu().numpy().mean() > 0 else -x,
        lambda net, x: x if np.asarray(x).mean() > 0 else -x,
        lambda net, x: x if torch.allclose(x, x + 1) else -x,
        lambda net, x: x if torch.equal(x * net.scale, x) else -x,
        lambda net, x: x[: int(x.sum())],
        buffered,
    ],
)
def test_values_that_reach_python_are_seen(code: Callable[[Calls, torch.Tensor], Any]) -> None:
    (read,) = reads(code)
    assert "test_data_flow.py:" in read


@pytest.mark.parametrize(
    "code",
    [
        lambda net, x: x.view(-1) if x.shape[0] > 1 else x,
        lambda net, x: x * float(net.scale),
        lambda net, x: x if torch.arange(4.0).sum() > 1 else -x,
        lambda net, x: torch.where(x > 0, x, -x),
        lambda net, x: x[x > 0],
        lambda net, x: [row * 2 for row in x],
    ],
)
def test_shapes_parameters_and_constants_are_no_values(
    code: Callable[[Calls, torch.Tensor], Any],
) -> None:
    assert reads(code) == ()


def test_memory_used_again_does_not_carry_the_dependence() -> None:
    def code(net: Calls, x: torch.Tensor) -> Any:
        for _ in range(50):
            used = x * 2
            del used
            if torch.full((2, 3), 3.0).sum() < 0:
                return -x
        return x

    assert reads(code) == ()
