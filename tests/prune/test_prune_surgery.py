"""Removal of channels: the same function as with these channels at zero, and limits to the unit."""

from __future__ import annotations

import copy

import pytest
import torch
from networks import NETWORKS, Shuffled, made
from torch import nn

from exporters.seeding import seeded
from nasprof import inspecting
from nasprof.prune._choice import fewest
from nasprof.prune._groups import find_groups, removals
from nasprof.prune._method import Plain as PlainNetwork
from nasprof.prune._removal import Removals
from nasprof.prune._surgery import Operation, counts_for, prepare
from profiler.core.errors import InputError

pytest.importorskip("torch_pruning", reason='surgery needs pip install "nasprof[prune]"')


def by_chance(group: object) -> torch.Tensor:
    return torch.rand(len(group[0].idxs))


def operation(name: str) -> tuple[Operation, tuple[torch.Tensor]]:
    network, example = made(name)
    macs = inspecting.count(inspecting.Question(network, input_shape=(example[0].shape[1:]))).macs
    with seeded(4):
        return prepare(PlainNetwork(network, by_chance), (example[0][:1],), macs), example


def limit_of(name: str, found: Operation) -> float:
    """Of the transformer only the perceptrons can be cut."""
    share = 0.9 if name == "transformer" else 0.6
    return share * found.size.macs(found.size.nothing_lost)


def silenced(network: nn.Module, gone: Removals) -> nn.Module:
    """A copy that still has the channels, all of them at zero."""
    quiet = copy.deepcopy(network)
    for (layer, side, axis), indices in gone.items():
        if side == "in" or axis is not None:
            continue
        for parameter in quiet.get_submodule(layer).parameters(recurse=False):
            parameter.data[sorted(indices)] = 0
    return quiet


@pytest.mark.parametrize("name", NETWORKS)
def test_a_cut_network_is_the_one_whose_channels_are_zero(name: str) -> None:
    found, example = operation(name)
    counts = counts_for(found, {"macs": limit_of(name, found)}, "global", None)
    gone = removals(list(zip(found.groups.cuttable, counts, strict=True)))
    smaller, quiet = found.cut(counts), silenced(found.network, gone)
    with torch.inference_mode():
        whole, kept, got = found.network(*example), quiet(*example), smaller(*example)
    scale = float(kept.abs().max())
    torch.testing.assert_close(got, kept, atol=1e-5 * scale, rtol=0)
    assert float((kept - whole).abs().max()) > 1e-2 * scale


@pytest.mark.parametrize("spread", ["uniform", "global"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_limit_is_met_and_one_channel_more_would_exceed_it(name: str, spread: str) -> None:
    found, example = operation(name)
    size, side = found.size, example[0].shape[1:]
    limit = limit_of(name, found)
    counts = counts_for(found, {"macs": limit}, spread, None)
    counted = inspecting.count(inspecting.Question(found.cut(counts), input_shape=side)).macs
    assert counted == size.macs(counts) <= limit
    for group, count in enumerate(counts):
        if count:
            less = [n - (g == group) for g, n in enumerate(counts)]
            assert size.macs(less) > limit


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_predicted_to_the_unit(name: str) -> None:
    found, _ = operation(name)
    counts = [group.units // 3 for group in found.groups.cuttable]
    assert found.size.params(counts) == sum(p.numel() for p in found.cut(counts).parameters())


def test_both_limits_hold_together() -> None:
    found, _ = operation("residual")
    size = found.size
    limits = {
        "macs": 0.7 * size.macs(size.nothing_lost),
        "params": 0.2 * size.params(size.nothing_lost),
    }
    counts = counts_for(found, limits, "global", None)
    assert all(size.metric(name, counts) <= limit for name, limit in limits.items())


def test_uniform_takes_the_same_share_of_every_group() -> None:
    found, _ = operation("residual")
    counts = counts_for(
        found, {"macs": 0.5 * found.size.macs(found.size.nothing_lost)}, "uniform", None
    )
    shares = [n / g.units for n, g in zip(counts, found.groups.cuttable, strict=True)]
    assert max(shares) - min(shares) < 0.05


def test_global_takes_the_lowest_scores_of_all() -> None:
    network, example = made("plain")
    scores = {
        "a.0": torch.arange(8.0),
        "b.0": torch.arange(12.0) + 100,
        "c.0": torch.arange(6.0) + 50,
    }
    names = {id(module): name for name, module in network.named_modules()}
    plain = PlainNetwork(
        network, lambda group: scores.get(names[id(group[0].dep.target.module)], torch.zeros(5))
    )
    found = prepare(plain, example)
    size = found.size
    counts = counts_for(found, {"macs": 0.5 * size.macs(size.nothing_lost)}, "global", None)
    lost = {group.name: count for group, count in zip(found.groups.cuttable, counts, strict=True)}
    assert lost["b.0"] == 0
    assert lost["a.0"] > 0
    gone = removals([(group, lost[group.name]) for group in found.groups.cuttable])
    assert gone[("a.0", "out", None)] == set(range(lost["a.0"]))


def test_the_output_layer_is_neither_cut_nor_a_complaint() -> None:
    network, example = made("plain")
    groups = find_groups(network, example, by_chance)
    assert [group.name for group in groups.cuttable] == ["a.0", "b.0", "c.0"]
    assert groups.whole == {}


def test_blocks_of_a_grouped_convolution_stay_equal() -> None:
    found, _ = operation("grouped")
    units = {group.name: group.units for group in found.groups.cuttable}
    assert units["narrow.0"] == 6
    assert units["wide.0"] == 6
    counts = [group.units // 2 for group in found.groups.cuttable]
    smaller = found.cut(counts)
    assert (smaller.wide[0].in_channels, smaller.wide[0].out_channels, smaller.wide[0].groups) == (
        12,
        12,
        4,
    )


def test_a_residual_stage_is_one_group() -> None:
    found, _ = operation("residual")
    layers = [
        {cut.layer for cut in group.cuts if cut.side == "out"} for group in found.groups.cuttable
    ]
    assert {"layer2.0.conv2", "layer2.0.downsample.0"} in layers


def test_what_cannot_be_cut_is_named_with_its_reason() -> None:
    found, _ = operation("transformer")
    assert {group.name for group in found.groups.cuttable} == {
        "blocks.0.mlp.fc1",
        "blocks.1.mlp.fc1",
    }
    assert "blocks.0.attn.qkv" in found.groups.whole
    with pytest.raises(InputError, match=r"macs can be cut from .* kept whole: .*attn\.qkv \("):
        counts_for(found, {"macs": 1e5}, "global", None)


def test_a_shuffle_with_sizes_in_the_code_names_its_layers() -> None:
    with seeded(0):
        network = Shuffled().eval()
    example = (torch.randn(1, 3, 8, 8),)
    groups = find_groups(network, example, by_chance)
    assert "wide.0" in groups.whole
    assert all(groups.whole.values())


def test_scores_that_are_no_numbers_are_refused() -> None:
    network, example = made("plain")
    with pytest.raises(InputError, match=r"layer '.*' has scores that are no numbers"):
        find_groups(network, example, lambda group: torch.full((len(group[0].idxs),), torch.nan))


def test_without_a_limit_what_is_below_the_threshold_goes_but_one() -> None:
    network, example = made("plain")
    names = {id(module): name for name, module in network.named_modules()}
    scores = {"a.0": torch.arange(8.0), "b.0": torch.zeros(12), "c.0": torch.ones(6) * 9}
    plain = PlainNetwork(
        network,
        lambda group: scores.get(names[id(group[0].dep.target.module)], torch.zeros(5)),
        3.0,
    )
    found = prepare(plain, example)
    assert counts_for(found, {}, "global", plain.threshold) == [3, 11, 0]
    # Those go with a limit too, and then more where it asks for more.
    whole = found.size.macs(found.size.nothing_lost)
    assert counts_for(found, {"macs": 0.9 * whole}, "global", plain.threshold) == [3, 11, 0]
    more = counts_for(found, {"macs": 0.2 * found.size.macs([3, 11, 0])}, "global", 3.0)
    assert more[0] > 3


def test_the_network_that_is_cut_stays_as_it_is() -> None:
    found, example = operation("plain")
    before = found.network(*example)
    found.cut([2, 2, 2])
    assert torch.equal(found.network(*example), before)


def test_fewest_gives_back_what_need_not_go() -> None:
    # Group 0 costs 1 a unit and group 1 costs 10; 12 of 22 must go, in the order 0 0 1 1.
    cost = (1, 10)

    def inside(counts: list[int]) -> bool:
        return 22 - sum(n * c for n, c in zip(counts, cost, strict=True)) <= 10

    assert fewest([0, 0, 1, 1], [0, 0], inside) == [2, 1]
    assert fewest([0, 1, 0, 1], [0, 0], lambda counts: counts[1] >= 1) == [0, 1]
    assert fewest([0], [0, 0], inside) is None
    assert fewest([], [1], lambda counts: True) == [1]
