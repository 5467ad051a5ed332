"""Masks on single weights: exact projection, schedules, gradients, budgets, and what stays zero."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from exporters.seeding import seeded
from nasprof.evaluate._training import Schedule
from nasprof.prune import magnitude, probmask
from nasprof.prune._bernoulli import BernoulliMask, draw, gumbel_difference, soft_mask
from nasprof.prune._data import open_data
from nasprof.prune._limits import parse_limits
from nasprof.prune._method import Goal
from nasprof.prune._projection import project
from nasprof.prune._sparsity import STATEMENT, sparsity_of
from nasprof.pruning import PruneRequest, prune
from profiler.core.errors import InputError


class Perceptron(nn.Sequential):
    """Two layers of 1,184 weights together."""

    input_shape = (1, 8, 8)

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))


def goal(limit: str) -> Goal:
    return Goal(parse_limits([limit]), open_data("digits"), Schedule(2, 256, 0.1), 0)


def wrapped(limit: str = "params<=10%", method: probmask.ProbMask = probmask.PLUGIN):
    with seeded(0):
        return method.wrap(Perceptron(), (torch.zeros(1, 1, 8, 8),), goal(limit))


def test_a_feasible_point_is_only_clipped() -> None:
    part = torch.tensor([-0.5, 0.25, 1.5])
    project([part], 1.25)
    assert part.tolist() == [0, 0.25, 1]


def test_the_projection_of_a_case_by_hand() -> None:
    # v = 0.3: 1.0 - 0.3 + 0.6 - 0.3 + 0.1 clipped + 1.5 clipped to 1 = 2.0.
    parts = [torch.tensor([1.0, 0.6]), torch.tensor([[0.1], [1.5]])]
    project(parts, 2.0)
    torch.testing.assert_close(parts[0], torch.tensor([0.7, 0.3]))
    torch.testing.assert_close(parts[1], torch.tensor([[0.0], [1.0]]))


def test_the_projection_is_the_nearest_point() -> None:
    """Its variational inequality: no feasible point lies on the far side of it."""
    with seeded(1):
        point = torch.randn(200, dtype=torch.float64) + 0.5
        found = point.clone()
        project([found], 30.0)
        assert float(found.sum()) == pytest.approx(30.0, abs=1e-9)
        for _ in range(50):
            other = torch.rand(200, dtype=torch.float64)
            other *= 30.0 / max(float(other.sum()), 30.0)
            assert float((point - found) @ (other - found)) <= 1e-9


def test_schedules_at_their_corners() -> None:
    assert probmask.remaining(0.0, 0.1) == probmask.remaining(0.159, 0.1) == 1.0
    assert probmask.remaining(0.38, 0.1) == pytest.approx(0.1 + 0.9 / 8)
    assert probmask.remaining(0.6, 0.1) == probmask.remaining(1.0, 0.1) == 0.1
    assert probmask.temperature(0) == 1.0
    assert probmask.temperature(1) == pytest.approx(0.03)


def test_a_soft_mask_by_hand() -> None:
    found = soft_mask(torch.tensor([0.5, 0.8]), torch.tensor([0.0, 0.0]), 0.5)
    # logit(0.8) = ln 4; divided by one half it is ln 16.
    torch.testing.assert_close(found, torch.tensor([0.5, 16 / 17]))


@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_the_gradient_of_the_mask_is_that_of_differences(temperature: float) -> None:
    with seeded(2):
        probability = torch.rand(20, dtype=torch.float64) * 0.9 + 0.05
        noise = gumbel_difference(probability)
    probability.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: soft_mask(p, noise, temperature), probability)


def test_at_temperature_1_the_chance_of_more_than_one_half_is_the_probability() -> None:
    with seeded(3):
        probability = torch.full((200_000,), 0.3)
        found = soft_mask(probability, gumbel_difference(probability), 1.0)
    assert float((found > 0.5).float().mean()) == pytest.approx(0.3, abs=0.005)


def test_a_drawn_mask_drops_the_least_likely_above_the_budget() -> None:
    masks = [BernoulliMask(torch.zeros(3)), BernoulliMask(torch.zeros(1, 2))]
    with torch.no_grad():
        masks[0].probability.copy_(torch.tensor([1.0, 1.0, 0.0]))
    with seeded(0):
        first, second = draw(masks, 3)
    assert int(first.sum() + second.sum()) == 3
    assert first[2] == 0
    with torch.no_grad():
        masks[0].probability.copy_(torch.tensor([1.0, 0.9999999, 0.0]))
    assert draw(masks, 3)[0].tolist() == [1, 0, 0]


def test_the_budget_is_one_over_all_layers_and_met_after_each_step() -> None:
    gated = wrapped()
    assert (gated.layers.weights, gated.layers.budget) == (1184, 118)
    for share in (0.2, 0.38, 0.7):
        gated.before_step(share)
        with torch.no_grad():
            for mask in gated.masks:
                mask.probability.add_(torch.rand_like(mask.probability))
        gated.after_step()
        total = float(sum(mask.probability.double().sum() for mask in gated.masks))
        assert total == pytest.approx(probmask.remaining(share, 118 / 1184) * 1184, abs=1e-3)


def test_each_pass_in_training_draws_another_mask() -> None:
    gated = wrapped()
    for mask in gated.masks:
        nn.init.constant_(mask.probability, 0.5)
    network, images = gated.network.train(), torch.ones(1, 1, 8, 8)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))
    assert gated.draws == 2


def test_the_end_is_a_plain_network_within_the_budget_whose_zeros_hold() -> None:
    gated = wrapped("params<=10%")
    with seeded(4):
        for mask in gated.masks:
            nn.init.uniform_(mask.probability)
        plain = gated.plain()
    linear = [m for m in plain.network.modules() if isinstance(m, nn.Linear)]
    assert not any(parametrize.is_parametrized(m) for m in linear)
    kept = [m.weight.detach() != 0 for m in linear]
    assert 0 < sum(int(k.sum()) for k in kept) <= 118
    with torch.no_grad():
        for layer in linear:
            layer.weight.add_(1)
    plain.hold()
    assert all(torch.equal(m.weight != 0, k) for m, k in zip(linear, kept, strict=True))


def test_the_best_of_the_sampled_masks_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    gated = wrapped("params<=50%")
    for mask in gated.masks:
        nn.init.constant_(mask.probability, 0.4)
    seen: list[tuple[float, int]] = []
    usual = probmask.ProbMasked._loss

    def watched(self, hard):
        found = usual(self, hard)
        seen.append((found, int(sum(part.sum() for part in hard))))
        return found

    monkeypatch.setattr(probmask.ProbMasked, "_loss", watched)
    with seeded(5):
        plain = gated.plain()
    assert len({loss for loss, _ in seen}) == 10
    arrays = gated.arrays
    with torch.no_grad():
        loss = nn.functional.cross_entropy(
            plain.network.eval()(arrays.train_images), arrays.train_labels, reduction="sum"
        )
    assert float(loss) == pytest.approx(min(seen)[0], rel=1e-4)


def test_a_supermask_leaves_the_random_weights_alone() -> None:
    gated = wrapped("params<=50%", probmask.PLUGIN.made_for("supermask"))
    layer = gated.network[1]
    before = layer.parametrizations.weight.original.detach().clone()
    assert not layer.parametrizations.weight.original.requires_grad
    with seeded(6):
        for mask in gated.masks:
            nn.init.constant_(mask.probability, 0.5)
        plain = gated.plain()
    kept = plain.network[1].weight
    assert not kept.requires_grad
    assert torch.equal(kept[kept != 0], before[kept != 0])


def test_magnitude_keeps_the_largest_of_all_layers() -> None:
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, -4.0], [0.5, 3.0]]))
        network[1].weight.copy_(torch.tensor([[2.0, 0.1]]))
    magnitude.PLUGIN.wrap(network, (), goal("params<=50%"))
    assert network[0].weight.tolist() == [[0, -4], [0, 3]]
    assert network[1].weight.tolist() == [[2, 0]]


def test_macs_on_non_zeros_are_counted_at_each_place() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(32, 10, bias=False)
    )
    with torch.no_grad():
        network[0].weight[0] = 0
        network[2].weight[:, :16] = 0
    found = sparsity_of(network, (torch.zeros(1, 1, 8, 8),))
    conv, linear = found.layers
    assert (conv.weights, conv.nonzero, conv.macs, conv.nonzero_macs) == (18, 9, 288, 144)
    assert (linear.weights, linear.nonzero, linear.nonzero_macs) == (320, 160, 160)
    assert found.weight_bytes == 4 * (18 + 2 + 320)
    assert found.compressed_bytes < found.weight_bytes
    assert STATEMENT in found.lines()[-1]


@pytest.mark.parametrize("method", ["probmask", "probmask:supermask", "magnitude"])
def test_unstructured_methods_go_all_the_way(method: str, tmp_path) -> None:
    request = PruneRequest(Perceptron(), method, ("params<=20%",), epochs=2, fine_tune=1, batch=128)
    done = prune(request, tmp_path / "sparse.onnx")
    assert done.after.macs == done.before.macs  # dense runtimes gain nothing
    assert done.findings is not None
    kept = sum(layer["nonzero"] for layer in done.findings.to_json()["layers"])
    assert 0 < kept <= 0.2 * 1184
    assert done.exported is not None
    assert "buy no time" in "\n".join(done.lines())
    assert "non-zero" in done.table()
    assert json.loads(json.dumps(done.to_json()))["findings"]["layers"][0]["weights"] == 1024


@pytest.mark.parametrize(
    ("network", "limit", "why"),
    [
        (Perceptron(), "macs<=50%", "can't be limited by macs; give for example params<=5%"),
        (Perceptron(), "params<=2M", "leaves 2,000,000 of 1,184 weights"),
        (Perceptron(), "params<=0.01%", "leaves 0 of 1,184 weights"),
        (nn.Sequential(nn.ReLU()), "params<=5%", "no convolution or linear layer"),
    ],
)
def test_what_cannot_be_masked_is_refused(network: nn.Module, limit: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        probmask.PLUGIN.wrap(network, (), goal(limit))


def test_shared_weights_and_unknown_variants_are_refused() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    network[1].weight = network[0].weight
    with pytest.raises(InputError, match="'0' and '1' share a weight"):
        probmask.PLUGIN.wrap(network, (), goal("params<=50%"))
    with pytest.raises(InputError, match="the one variant is probmask:supermask"):
        probmask.PLUGIN.made_for("hard")
