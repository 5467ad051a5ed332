"""Scores without training, against cases worked by hand and identities of their papers."""

from __future__ import annotations

from math import log
from statistics import NormalDist, fmean, stdev

import numpy as np
import pytest
import torch
from torch import nn

from nasprof.evaluate import proxy
from nasprof.evaluate._evaluator import open_evaluator
from nasprof.evaluate._proxies import grad_norm, macs, naswot, params, synflow, zen
from nasprof.spaces._genes import sample
from nasprof.spaces.nasbench201 import PLUGIN as SPACE
from profiler.core.errors import InputError


def linear(*weights: list[list[float]]) -> list[nn.Module]:
    made = []
    for weight in weights:
        values = torch.tensor(weight)
        layer = nn.Linear(values.shape[1], values.shape[0], bias=False)
        layer.weight = nn.Parameter(values)
        made.append(layer)
    return made


def test_naswot_by_hand() -> None:
    # Two units; signs of the images: (+,+), (+,-), (-,-). Equal units: 1 of 2, 0 of 2, 1 of 2.
    images = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    kernel = np.array([[2, 1, 0], [1, 2, 1], [0, 1, 2]])
    assert naswot(nn.Sequential(nn.ReLU()), images) == pytest.approx(log(np.linalg.det(kernel)))


def test_naswot_of_networks_that_tell_no_images_apart_is_refused() -> None:
    with pytest.raises(ValueError, match="naswot of this network is -inf"):
        naswot(nn.Sequential(nn.ReLU()), torch.ones(3, 2))
    with pytest.raises(ValueError, match="needs a network with ReLU layers"):
        naswot(nn.Sequential(nn.Linear(2, 2)), torch.ones(3, 2))


def test_synflow_by_hand() -> None:
    # |3| (|1| + |-2|) = 9 flows through each of the two layers.
    (first, second) = linear([[1.0, -2.0]], [[-3.0]])
    network = nn.Sequential(first, nn.ReLU(), second)
    assert synflow(network, torch.zeros(4, 2)) == pytest.approx(log(18))


def test_synflow_is_not_changed_by_normalisation() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, bias=False), nn.Conv2d(4, 2, 3, bias=False)]
    plain = synflow(nn.Sequential(*layers), torch.zeros(1, 3, 8, 8))
    norm = nn.BatchNorm2d(4)
    with torch.no_grad():
        norm.running_var.fill_(9.0)
    assert synflow(nn.Sequential(layers[0], norm, layers[1]), torch.zeros(1, 3, 8, 8)) == (
        pytest.approx(plain)
    )


def test_a_network_that_passes_nothing_on_has_no_synflow() -> None:
    with pytest.raises(ValueError, match="nothing of the input comes through"):
        synflow(nn.Sequential(*linear([[0.0, 0.0]])), torch.zeros(1, 2))


def test_grad_norm_by_hand() -> None:
    # One class has the score 0 and one too: softmax 1/2, so the gradient is +-1/2 x for each class.
    (layer,) = linear([[0.0, 0.0], [0.0, 0.0]])
    found = grad_norm(nn.Sequential(layer), torch.tensor([[3.0, 4.0]]))
    assert found == pytest.approx(5 / 2 * 2**0.5)


def test_zen_adds_back_what_normalisation_takes_away() -> None:
    """The network with BatchNorm scores as the one without: the point of the paper's scaling."""

    def score(*after: nn.Module) -> float:
        torch.manual_seed(3)
        return zen(
            nn.Sequential(nn.Conv2d(2, 1, 3, bias=False), *after), torch.zeros(64, 2, 24, 24)
        )

    assert score(nn.BatchNorm2d(1)) == pytest.approx(score(), abs=0.02)


def test_zen_of_a_linear_map_by_hand() -> None:
    # |w step e| with w and e normal and independent: E|e| = sqrt(2 / pi) for each w.
    torch.manual_seed(1)
    drawn = []

    def keep(module: nn.Module, given: object) -> None:
        drawn.append(abs(float(module.weight.detach())))

    layer = nn.Linear(1, 1)
    layer.register_forward_pre_hook(keep)
    found = zen(nn.Sequential(layer), torch.zeros(200_000, 1))
    weights = drawn[::2]
    expected = np.mean([log(w * 0.01 * (2 / np.pi) ** 0.5) for w in weights])
    assert found == pytest.approx(expected, abs=0.01)


def test_counts_are_the_published_ones() -> None:
    # NAS-Bench-201 index 0 on CIFAR-10: 129,306 parameters, 15.65 M "FLOPs" (MACs).
    network = SPACE.build(SPACE.at(0))
    images = torch.zeros(1, 3, 32, 32)
    assert params(network, images) == 129_306
    assert macs(network, images) / 1e6 == pytest.approx(15.65, abs=0.2)


@pytest.mark.parametrize("name", ["naswot", "synflow", "zen", "grad-norm", "macs", "params"])
def test_every_proxy_scores_cells_and_the_seed_decides(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "_REFERENCE", 12)  # 32 of the slower ones take half a minute
    torch.manual_seed(5)
    before = torch.get_rng_state()
    genes = SPACE.at(857)
    score = open_evaluator(f"proxy:{name}", SPACE, 3)
    found = score(genes)
    assert 0 < found < 1
    assert open_evaluator(f"proxy:{name}", SPACE, 3)(genes) == found
    assert torch.equal(torch.get_rng_state(), before)
    assert score(SPACE.at(9)) != found


def test_the_value_is_the_share_of_networks_that_the_score_would_beat() -> None:
    drawn = sample(SPACE, 32, np.random.default_rng(4))
    counts = [params(SPACE.build(genes), torch.zeros(1)) for genes in drawn]
    score = open_evaluator("proxy:params", SPACE, 4)
    expected = NormalDist(fmean(counts), stdev(counts))
    assert score(SPACE.at(0)) == pytest.approx(expected.cdf(129_306))


def test_bad_proxies_are_one_clear_line() -> None:
    for text in ("proxy", "proxy:magic"):
        with pytest.raises(InputError, match=r"write proxy:naswot\|synflow"):
            open_evaluator(text, SPACE, 0)
