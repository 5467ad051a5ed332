"""Latency tables from profiles, the order that they price, and a limit that is met as measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from networks import made
from torch import nn

from nasprof.prune._latency import (
    elements,
    measured_table,
    narrowed,
    priced,
    search_counts,
    table_of,
)
from nasprof.prune._method import Plain
from nasprof.prune._stopwatch import Stopwatch, target_of
from nasprof.prune._surgery import Operation, prepare
from nasprof.pruning import PruneRequest, prune
from nasprof.subjects._subject import image
from profiler.core.errors import InputError
from profiler.core.profile import OperatorProfile, OperatorTime
from profiler.store.store import open_store

pytest.importorskip("torch_pruning", reason='surgery needs pip install "nasprof[prune]"')


def by_index(group: object) -> torch.Tensor:
    return torch.arange(len(group[0].idxs), dtype=torch.float32)


def operation() -> Operation:
    network, example = made("plain")
    return prepare(Plain(network, by_index), (example[0][:1],))


def profiled(found: Operation, counts: Sequence[int], ns: dict[str, float]) -> OperatorProfile:
    """A profile in which a layer takes `ns` for each of its MACs, and the rest 2 ns an element."""
    times = {
        layer.name: layer.macs(counts) * ns.get(layer.name, 1.0) for layer in found.size.layers
    }
    times["pool"] = 2.0 * elements(found.size, counts)
    operators = tuple(
        OperatorTime(name, "Conv", "Conv", name, (), time, time, 1, 2, 3)
        for name, time in times.items()
    )
    zeros = dict.fromkeys(("plain_ns", "profiled_ns", "cost_ns", "subtracted_ns"), 0.0)
    return OperatorProfile(
        "", "", "", "", "", sum(times.values()), "", **zeros, resolution_ns=1, runs=1, folded=0,
        missing_macs=0, operators=operators,
    )  # fmt: skip


def table(found: Operation, ns: dict[str, float] | None = None):
    several = [narrowed(found.groups, width) for width in (1.0, 0.75, 0.5, 0.25)]
    return table_of(found.size, several, [profiled(found, n, ns or {}) for n in several])


def test_a_width_keeps_its_share_of_every_group() -> None:
    found = operation()
    assert [group.units for group in found.groups.cuttable] == [8, 12, 6]
    assert narrowed(found.groups, 0.25) == [6, 9, 4]
    assert narrowed(found.groups, 1.0) == [0, 0, 0]


def test_elements_are_what_layers_put_out() -> None:
    size = operation().size
    assert elements(size, [0, 0, 0]) == 64 * (8 + 12 + 6) + 5
    assert elements(size, [1, 0, 2]) == 64 * (7 + 12 + 4) + 5


def test_the_table_gives_back_what_was_measured() -> None:
    found = operation()
    for width in (1.0, 0.75, 0.5, 0.25):
        counts = narrowed(found.groups, width)
        expected = profiled(found, counts, {}).latency_ns
        assert table(found).predict_ns(found.size, counts) == pytest.approx(expected)


def test_it_is_linear_between_and_promises_nothing_below() -> None:
    found = operation()
    between = [1, 0, 0]
    expected = profiled(found, between, {}).latency_ns
    assert table(found).predict_ns(found.size, between) == pytest.approx(expected)
    narrow = narrowed(found.groups, 0.25)
    least = [group.units - 1 for group in found.groups.cuttable]
    assert table(found).predict_ns(found.size, least) == pytest.approx(
        table(found).predict_ns(found.size, narrow)
    )


def test_a_narrow_layer_that_was_measured_slower_does_not_mislead() -> None:
    found = operation()
    several = [[0, 0, 0], narrowed(found.groups, 0.5)]
    fast = profiled(found, several[0], {"b.0": 0.1})
    slow = profiled(found, several[1], {"b.0": 9.0})
    made_of = table_of(found.size, several, [fast, slow])
    times = [time for _, time in made_of.layers["b.0"]]
    assert times == sorted(times)


def test_channels_that_save_more_time_go_first() -> None:
    found = operation()
    cheap = priced(found, table(found, {"a.0": 100.0}), "global", [0, 0, 0])
    # Group 0 holds a.0: its units save most and come before units of equal rank elsewhere.
    assert cheap[0] == 0
    first = {number: cheap.index(number) for number in (0, 1, 2)}
    assert first[0] < first[1]
    assert first[0] < first[2]
    assert sorted(cheap) == [0] * 7 + [1] * 11 + [2] * 5


def test_what_is_gone_is_not_offered_again() -> None:
    found = operation()
    order = priced(found, table(found), "global", [3, 11, 0])
    assert sorted(order) == [0] * 4 + [2] * 5


def test_uniform_keeps_equal_shares() -> None:
    found = operation()
    order = priced(found, table(found), "uniform", [0, 0, 0])
    counts = [order[:11].count(number) for number in (0, 1, 2)]
    shares = [n / g.units for n, g in zip(counts, found.groups.cuttable, strict=True)]
    assert max(shares) - min(shares) < 0.17  # a channel of six


def test_the_search_follows_what_is_measured_not_the_table() -> None:
    found = operation()
    prices = table(found)
    whole = prices.predict_ns(found.size, [0, 0, 0])
    measured = []

    def measure(counts: Sequence[int]) -> float:
        # The machine is a third slower than the table says once anything is cut.
        measured.append(1.33 * prices.predict_ns(found.size, counts))
        return measured[-1]

    limit = 0.6 * whole
    counts = search_counts(found, prices, limit, "global", [0, 0, 0], lambda n: True, measure)
    assert measured[0] > limit
    assert 0.9 * limit < 1.33 * prices.predict_ns(found.size, counts) <= limit
    assert len(measured) <= 4


def test_other_limits_hold_beside_the_latency() -> None:
    found = operation()
    prices, size = table(found), found.size
    counts = search_counts(
        found, prices, 0.9 * prices.predict_ns(size, [0, 0, 0]), "global", [0, 0, 0],
        lambda n: size.params(n) <= 0.3 * size.params([0, 0, 0]),
        lambda n: prices.predict_ns(size, n),
    )  # fmt: skip
    assert size.params(counts) <= 0.3 * size.params([0, 0, 0])


def test_a_latency_out_of_reach_is_said_with_the_least_that_was_measured() -> None:
    found = operation()
    prices = table(found)
    arguments = (found, prices, 1e3, "global", [0, 0, 0], lambda n: True, lambda n: 5e6)
    with pytest.raises(InputError, match=r"the latency cannot be cut to 0\.0010 ms"):
        search_counts(*arguments)
    close = 1.1 * prices.predict_ns(found.size, narrowed(found.groups, 0.25))
    with pytest.raises(InputError, match=r"5\.000 ms was measured"):
        search_counts(found, prices, close, *arguments[3:])


class Wide(nn.Module):
    """Large enough that half of it is measurably faster."""

    input_shape = (1, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        layers = []
        for before, after in ((1, 64), (64, 128), (128, 128)):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)]
            layers += [nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.features(x).mean((2, 3)))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_layers_of_a_real_profile_are_found_in_the_table(tmp_path) -> None:
    network = Wide().eval()
    found = prepare(Plain(network, by_index), (torch.randn(1, 1, 8, 8),))
    with open_store(str(tmp_path / "store.db")) as store:
        watch = Stopwatch(
            target_of("onnxruntime-cpu"), (image((1, 8, 8)),), "wide", store, lambda *step: None
        )
        prices = measured_table(found, watch)
    whole = prices.predict_ns(found.size, found.size.nothing_lost)
    for layer in ("features.3", "features.6"):
        assert prices.layers[layer][-1][1] > 0, layer
    assert 0 < prices.other[-1][1] < whole < math.inf


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_limit_on_the_latency_beside_one_on_macs_from_end_to_end(tmp_path) -> None:
    steps: list[str] = []
    with open_store(str(tmp_path / "store.db")) as store:
        done = prune(
            PruneRequest(Wide(), "l1", ("macs<=60%", "latency@onnxruntime-cpu<=1s"),
                         epochs=1, fine_tune=0, batch=256, quick=True),
            tmp_path / "wide.onnx", store=store,
            on_progress=lambda done, total, text: steps.append(text),
        )  # fmt: skip
    assert done.timing is not None
    assert done.after.macs <= 0.6 * done.before.macs
    assert min(done.timing.after_ns, done.timing.before_ns) > 0
    assert done.timing.limit_ns == 1e9
    assert done.timing.kept
    assert any("latency@onnxruntime-cpu" in line for line in done.lines())
    assert any("fewer MACs save" in line for line in done.lines())


def test_a_latency_needs_a_runtime_with_a_profiler_and_a_store() -> None:
    request = PruneRequest(Wide(), "l1", ("latency@onnxruntime-cpu<=70%",), epochs=1)
    with pytest.raises(InputError, match="needs a store"):
        prune(request)
    with pytest.raises(InputError, match="no-such-runtime"):
        target_of("no-such-runtime")
    with pytest.raises(InputError, match="networks of batch 1"):
        target_of("onnxruntime-cpu/b8")
