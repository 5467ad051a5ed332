"""BWCP: its equations on cases worked by hand, its identities, and folding that can fail."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import made
from torch import nn

from exporters.seeding import seeded
from nasprof.evaluate._training import Schedule
from nasprof.prune import _whitening as equations
from nasprof.prune._data import fitted, open_data
from nasprof.prune._gated_norm import GatedNorm, Gating
from nasprof.prune._limits import parse_limits
from nasprof.prune._method import Goal, open_method
from nasprof.prune._pressure import Pressure
from nasprof.prune._size import Layer, Size
from nasprof.prune._surgery import counts_for, prepare
from nasprof.prune._wiring import Wired, wire
from nasprof.prune.bwcp import PLUGIN, BwcpTraining, check_fold, fold
from nasprof.subjects._subject import image
from profiler.core.errors import InputError, ModelError

pytest.importorskip("torch_pruning", reason='surgery needs pip install "nasprof[prune]"')

GATED = ("plain", "residual", "grouped", "depthwise", "multi-branch")


def test_the_correlation_of_channels_that_are_one_another() -> None:
    x = torch.tensor([1.0, -1.0, 1.0, -1.0])
    standard = torch.stack([x, -x, x, torch.tensor([1.0, 1.0, -1.0, -1.0])], 1)
    rho = equations.correlation(standard, 2)
    assert rho.shape == (2, 2, 2)
    torch.testing.assert_close(rho[0], torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))
    torch.testing.assert_close(rho[1], torch.eye(2))


def test_the_covariance_has_a_trace_of_one() -> None:
    rho = torch.tensor([[[1.0, 0.6], [0.6, 1.0]]])
    found = equations.covariance(torch.tensor([3.0, 4.0]), rho)
    torch.testing.assert_close(found, torch.tensor([[[9 / 25, 7.2 / 25], [7.2 / 25, 16 / 25]]]))


def test_five_newton_steps_by_hand() -> None:
    # Eigenvalue 0.2, from 1: 1.4, 1.8256, 2.1299..., 2.2286..., 2.23607 (1/sqrt 0.2 = 2.236068).
    step = 1.0
    for _ in range(5):
        step = 0.5 * (3 * step - step**3 * 0.2)
    assert step == pytest.approx(2.23606, abs=1e-4)
    sigma = 0.5 * torch.tensor([[[1.0, 0.6], [0.6, 1.0]]])  # eigenvalues 0.8 and 0.2
    found = equations.inverse_root(sigma)
    large, small = 1 / math.sqrt(0.8), 1 / math.sqrt(0.2)
    same, cross = (large + small) / 2, (large - small) / 2
    expected = torch.tensor([[[same, cross], [cross, same]]])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        equations.inverse_root(sigma, steps=1), 0.5 * (3 * torch.eye(2)[None] - sigma)
    )


@given(seed=st.integers(0, 10_000), size=st.sampled_from([2, 4, 8]))
def test_whitening_makes_the_covariance_the_identity(seed: int, size: int) -> None:
    with seeded(seed):
        rho = torch.corrcoef(torch.randn(size, 64, dtype=torch.float64))[None]
        gamma = 0.5 + torch.rand(size, dtype=torch.float64)
    sigma = equations.covariance(gamma, rho)
    root = equations.inverse_root(sigma, steps=12)
    torch.testing.assert_close(
        root @ sigma @ root, torch.eye(size, dtype=torch.float64)[None], atol=1e-3, rtol=0
    )


def test_a_group_of_one_channel_is_left_alone() -> None:
    rho = torch.ones(3, 1, 1)
    sigma = equations.covariance(torch.tensor([0.3, -2.0, 5.0]), rho)
    torch.testing.assert_close(equations.inverse_root(sigma), torch.ones(3, 1, 1))


def test_activation_probabilities_of_the_normal_distribution() -> None:
    found = equations.activation_probability(torch.tensor([0.0, 1.0, -2.0]))
    torch.testing.assert_close(found, torch.tensor([0.5, 0.8413447, 0.0227501]))


@given(seed=st.integers(0, 10_000), delta=st.floats(-0.2, 0.2))
def test_a_probability_above_a_half_is_a_whitened_shift_above_delta(
    seed: int, delta: float
) -> None:
    with seeded(seed):
        whitener = torch.randn(2, 4, 4, dtype=torch.float64)
        gamma, beta = torch.randn(2, 8, dtype=torch.float64)
    z = equations.distance(whitener, gamma, beta, delta)
    shifted = torch.cat([whitener[g] @ beta.reshape(2, 4)[g] for g in range(2)])
    assert torch.equal(equations.activation_probability(z) > 0.5, shifted > delta)


def test_gates_by_hand() -> None:
    half, most = torch.tensor(0.5), torch.tensor(0.9)
    nothing = torch.tensor(0.0)
    assert float(equations.soft_gate(half, nothing, 8, 0.5)) == 0.5
    # Unsharpened: sigma(2 ln 9) = 81 / 82.
    assert float(equations.soft_gate(most, nothing, 0, 0.5)) == pytest.approx(81 / 82, rel=1e-5)
    # Sharpened: logit P' = 8 x 0.4 = 3.2, and the noise of 0.3 comes before the temperature.
    expected = 1 / (1 + math.exp(-(3.2 + 0.3) / 0.5))
    found = equations.soft_gate(most, torch.tensor(0.3), 8, 0.5)
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_the_noise_is_logistic() -> None:
    with seeded(0):
        noise = equations.gumbel_difference(20_000)
    # The difference of two Gumbel variables: mean 0, variance pi^2 / 3.
    assert abs(float(noise.mean())) < 0.05
    assert float(noise.var()) == pytest.approx(math.pi**2 / 3, rel=0.05)


def gated_pair() -> tuple[nn.Sequential, Wired]:
    with seeded(0):
        network = nn.Sequential(
            nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)
        )
        nn.init.normal_(network[1].weight, 1, 0.2)
        nn.init.normal_(network[1].bias, 0, 0.3)
    wired = wire(network, (torch.zeros(1, 2, 2, 2),), 2, Gating())
    return network, wired


def test_gradients_are_those_of_differences() -> None:
    network, wired = gated_pair()
    network.double().train()
    network[1].momentum = 0.0  # the moving average stays one and the same
    (shared,) = wired.shared
    names = ["1.norm.weight", "1.norm.bias", "0.weight"]
    start = [network.get_parameter(name).detach().clone().requires_grad_() for name in names]
    with seeded(1):
        x = torch.randn(6, 2, 2, 2, dtype=torch.float64)

    def loss(*values: torch.Tensor) -> torch.Tensor:
        with seeded(2):
            shared.drawn = None
            out = torch.func.functional_call(network, dict(zip(names, values, strict=True)), (x,))
        return out.square().sum()

    assert torch.autograd.gradcheck(loss, start, eps=1e-6, atol=1e-4)


def test_in_training_the_statistics_are_those_of_the_batch() -> None:
    network, _ = gated_pair()
    norm: GatedNorm = network[1].train()
    with seeded(3):
        x = torch.randn(8, 4, 3, 3)
    before = norm.whitener.clone()
    norm(x)
    axes = (0, 2, 3)
    standard = (x - x.mean(axes, keepdim=True)) / (
        x.var(axes, keepdim=True, unbiased=False) + norm.norm.eps
    ).sqrt()
    rho = torch.stack(
        [torch.einsum("nahw,nbhw->ab", part, part) / 72 for part in standard.split(2, 1)]
    )
    expected = equations.inverse_root(equations.covariance(norm.norm.weight, rho)).detach()
    torch.testing.assert_close(norm.whitener, 0.9 * before + 0.1 * expected)


def trained(name: str) -> tuple[nn.Module, Wired, tuple[torch.Tensor]]:
    """A gated network whose moving averages are of some batches, and shifts of both signs."""
    network, example = made(name)
    wired = wire(network, (example[0][:1],), 16, Gating())
    with seeded(5):
        for norm in wired.norms.values():
            nn.init.normal_(norm.norm.bias, 0.05, 0.5)
        network.train()
        with torch.no_grad():
            for _ in range(4):
                for shared in wired.shared:
                    shared.drawn = None
                network(torch.randn(8, *example[0].shape[1:]))
    for shared in wired.shared:
        shared.drawn = None
    return network.eval(), wired, example


@pytest.mark.parametrize("name", GATED)
def test_the_folded_and_cut_network_is_the_gated_one(name: str) -> None:
    network, wired, example = trained(name)
    plain = BwcpTraining(network, PLUGIN, wired, example[0]).plain()
    assert not any(isinstance(module, GatedNorm) for module in plain.network.modules())
    operation = prepare(plain, (example[0][:1],))
    counts = counts_for(operation, {}, "global", plain.threshold)
    assert sum(counts) > 0
    smaller = operation.cut(counts)
    assert operation.size.macs(counts) < 0.9 * operation.size.macs(operation.size.nothing_lost)
    with torch.inference_mode():
        expected, found = network(*example), smaller(*example)
    scale = float(expected.abs().max())
    torch.testing.assert_close(found, expected, atol=1e-4 * scale, rtol=0)


def test_a_wrong_fold_is_noticed() -> None:
    network, wired, example = trained("plain")
    folded = fold(network, wired.places)
    check_fold(network, folded, example[0])
    with torch.no_grad():
        folded.b[0].bias += 0.01
    with pytest.raises(ModelError, match="folding changed the network: outputs differ by"):
        check_fold(network, folded, example[0])


def test_without_whitening_in_the_fold_it_is_another_network() -> None:
    network, wired, example = trained("plain")
    broken = copy.deepcopy(network)
    broken.b[1].whitener.copy_(torch.eye(4).repeat(3, 1, 1))
    with pytest.raises(ModelError):
        check_fold(network, fold(broken, wired.places), example[0])


def test_a_residual_stage_shares_its_gates_decided_by_its_first_layers() -> None:
    network, wired, _ = trained("residual")
    stage = next(one for one in wired.shared if one.name == "layer2.0.conv2")
    deciders = {id(norm) for norm, _, _ in stage.deciders}
    assert deciders == {id(network.layer2[0].bn2), id(network.layer2[0].downsample[1])}
    stem = next(one for one in wired.shared if one.name == "conv1")
    assert [id(norm) for norm, _, _ in stem.deciders] == [id(network.bn1)]
    assert torch.equal(network.bn1.gates(), network.layer1[0].bn2.gates())


def test_a_unit_goes_where_either_branch_drops_it() -> None:
    _, wired, _ = trained("residual")
    stage = next(one for one in wired.shared if one.name == "layer2.0.conv2")
    last, shortcut = (norm.distance() > 0 for norm, _, _ in stage.deciders)
    assert torch.equal(stage.gates(training=False) > 0, last & shortcut)
    with seeded(1):
        stage.draw()
    assert float(stage.drawn.detach().max()) < 1


def test_after_a_depthwise_convolution_channels_are_not_mixed() -> None:
    network, wired, _ = trained("depthwise")
    depthwise = {
        layer: norm
        for layer, norm in wired.norms.items()
        if network.get_submodule(layer).groups == network.get_submodule(layer).out_channels
    }
    assert len(depthwise) == 17
    for norm in depthwise.values():
        torch.testing.assert_close(norm.whitener, torch.ones_like(norm.whitener))


def test_whitening_stays_within_a_block_of_a_grouped_convolution() -> None:
    network, wired, _ = trained("grouped")
    assert wired.norms["wide.0"].size == 2  # 6 channels a block, and 16
    gates = network.wide[1].gates().reshape(4, 6)
    assert torch.equal(gates, gates[:1].expand(4, 6))


def test_norms_after_additions_and_concatenations_hold_no_gates() -> None:
    network, example = made("concatenated")
    with pytest.raises(InputError, match="bwcp needs a BatchNorm that directly follows"):
        PLUGIN.wrap(network, (example[0][:1],), goal())


def test_one_unit_of_a_group_always_stays() -> None:
    network, wired, example = trained("plain")
    for norm in wired.norms.values():
        nn.init.constant_(norm.norm.bias, -5)
    assert [float(one.gates(training=False).sum()) for one in wired.shared] == [1, 1, 1]
    plain = BwcpTraining(network, PLUGIN, wired, example[0]).plain()
    operation = prepare(plain, (example[0][:1],))
    assert counts_for(operation, {}, "global", 0.0) == [7, 11, 5]


def goal(*limits: str) -> Goal:
    arrays, _ = fitted(open_data("digits"), image((3, 8, 8)))
    return Goal(parse_limits(limits), arrays, Schedule(epochs=1, batch=64), 0)


def test_the_penalty_pulls_scales_to_zero_and_shifts_down() -> None:
    network, wired, example = trained("plain")
    method = replace(PLUGIN, first=0.01, second=0.03)
    gated = BwcpTraining(network, method, wired, example[0])
    gated.before_step(0.1)
    assert float(gated.penalty()) == 0.0  # nothing for the first sixth
    gated.before_step(0.5)
    norms = [network.a[1].norm, network.b[1].norm, network.c[1].norm]
    expected = sum(0.01 * n.weight.abs().sum() + 0.03 * n.bias.sum() for n in norms)
    torch.testing.assert_close(gated.penalty(), expected)


def test_the_pressure_rises_outside_of_a_limit_and_falls_inside() -> None:
    layer = Layer("a", 1, 10, 1, 1, 1, False, False, (), ((0, 1),))
    pressure = Pressure(Size((layer,), 0, (0,)), ("a",), parse_limits(["macs<=50%"]))
    many, few = torch.ones(10), torch.cat([torch.ones(4), -torch.ones(6)])
    assert pressure.excess({"a": many}) == pytest.approx(2.0)
    assert pressure.excess({"a": few}) == pytest.approx(0.8)
    pressure.follow(0.5, {"a": many})
    assert pressure.factor == pytest.approx(1.3)
    pressure.follow(0.51, {"a": many})  # too soon to look again
    assert pressure.factor == pytest.approx(1.3)
    pressure.follow(0.6, {"a": few})
    assert pressure.factor == pytest.approx(1.0)


def test_what_settles_meets_the_limit_with_the_highest_probabilities() -> None:
    layer = Layer("a", 1, 4, 1, 1, 1, False, False, (), ((0, 1),))
    pressure = Pressure(Size((layer,), 0, (0,)), ("a",), parse_limits(["macs<=50%"]))
    z = torch.tensor([0.3, 2.0, -1.0, 1.0])
    kept = {"a": (z > 0).float()}
    assert pressure.settled({"a": z}, kept)["a"].tolist() == [0, 1, 0, 1]
    # Inside already: nothing comes back.
    low = torch.tensor([-0.3, 2.0, -1.0, -2.0])
    assert pressure.settled({"a": low}, {"a": (low > 0).float()})["a"].tolist() == [0, 1, 0, 0]


def test_a_training_settles_on_gates_that_keep_to_the_limit() -> None:
    network, example = made("plain")
    gated = PLUGIN.wrap(network, (example[0][:1],), goal("macs<=40%"))
    gated.before_step(0.6)
    assert all(one.settled is None for one in gated.wired.shared)
    gated.before_step(0.7)
    for one in gated.wired.shared:
        assert torch.equal(one.gates(training=True), one.gates(training=False))
        assert set(one.gates(training=True).tolist()) <= {0.0, 1.0}
    assert float(gated.penalty()) == 0.0
    operation = prepare(gated.plain(), (example[0][:1],))
    counts = counts_for(operation, {}, "global", 0.0)
    assert operation.size.macs(counts) <= 0.4 * operation.size.macs(operation.size.nothing_lost)


@pytest.mark.parametrize("argument", ["1e-3", "a,b", "1,-1", "inf,1"])
def test_weights_of_the_penalty_that_are_none_are_refused(argument: str) -> None:
    with pytest.raises(InputError, match="give two weights such as bwcp:4e-3,8e-3"):
        open_method(f"bwcp:{argument}")
