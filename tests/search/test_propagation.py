"""Codes follow gradients: rules worked out by hand on linear predictors, and NAS-Bench-MR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import nasprof
from nasprof.predict.ncp import NcpModel, NcpNetwork, Scale
from nasprof.search.codes import code_of
from nasprof.search.propagating import propagate_rows
from nasprof.search.propagation import Cap, Pull, climb, propagate, turning_point
from nasprof.search.structures.nasbench_mr import PLUGIN as CODES
from nasprof.search.structures.nasbench_mr import costs, values
from nasprof.spaces._cost import count_network
from nasprof.spaces._genes import sample
from nasprof.spaces.nasbench201 import PLUGIN as NASBENCH201
from nasprof.spaces.nasbench_mr import NAMES
from nasprof.spaces.nasbench_mr import PLUGIN as NASBENCH_MR
from profiler.core.errors import InputError

START = NASBENCH_MR.parse("64 64 2 2 64 2 2 2 64 64 2 2 2 2 64 64 64 2 2 2 2 2 64 64 64 64 64")


class Linear(nn.Module):
    """Metrics that are sums of weighted code elements, in standard units."""

    def __init__(self, *weights: dict[str, float]) -> None:
        super().__init__()
        self.weights = torch.tensor(
            [[part.get(name, 0.0) for name in NAMES] for part in weights], dtype=torch.float32
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weights.T


def linear(*weights: dict[str, float], spread: float = 16.0) -> NcpModel:
    count = len(NAMES)
    scale = Scale(np.full(count, 64.0), np.full(count, spread))
    metrics = Scale(np.zeros(len(weights)), np.ones(len(weights)))
    return NcpModel(Linear(*weights), scale, metrics)  # type: ignore[arg-type]


def test_a_step_is_the_weighted_gradient_and_codes_stay_in_their_bounds() -> None:
    """Gradient 0.1 up and 0.5 x 0.04 down on i1: each step 3 x 0.08 standard units of 16."""
    model = linear({"i1": 0.1}, {"i1": 0.04, "o1": 1.0})
    path = propagate(code_of(NASBENCH_MR), START, [Pull(model), Pull(model, 1, -0.5)], steps=20)
    i1, o1 = NAMES.index("i1"), NAMES.index("o1")
    assert [stage.code[i1] for stage in path[:3]] == pytest.approx([64, 67.84, 71.68])
    assert path[1].code[o1] == pytest.approx(64 - 3 * 0.5 * 16)
    assert path[-1].code[i1] == 128
    assert path[-1].code[o1] == 8
    # 67.84 is nearer to 64 than to 72, 71.68 is not.
    assert [NASBENCH_MR.values(stage.genes)[i1] for stage in path[:3]] == [64, 64, 72]
    np.testing.assert_allclose(path[2].predicted, [0.1 * 0.5, 0.04 * 0.5 - 3.0], atol=1e-6)


def test_numbers_are_rounded_to_the_nearest_a_tie_upwards() -> None:
    code = code_of(NASBENCH_MR)
    vector = code.encode([START])[0]
    vector[:3] = [67.99, 68.0, 2.5]
    assert NASBENCH_MR.values(code.rounded(vector))[:3] == (64, 72, 3)


def test_a_multiplier_grows_until_the_cost_is_below_its_cap() -> None:
    model = linear({"i1": 0.1}, {"i1": 1.0})
    cap = Cap(model, metric=1, limit=1.0)
    free = propagate(code_of(NASBENCH_MR), START, [Pull(model)])
    capped = propagate(code_of(NASBENCH_MR), START, [Pull(model)], cap=cap)
    i1 = NAMES.index("i1")
    assert free[-1].code[i1] == 128
    # At the cap i1 is 64 + 16, and the multiplier balances the gradients: 0.1 = m x 1.
    assert capped[-1].code[i1] == pytest.approx(80, abs=0.1)
    assert capped[0].multiplier == 0
    assert capped[-1].multiplier == pytest.approx(0.1, abs=1e-3)


def test_the_winner_takes_all_one_quantum_at_a_time_and_stops() -> None:
    model = linear({"i1": 1.0, "b1": 4.0, "o1": -0.5}, {"i1": 1.0})
    path = climb(code_of(NASBENCH_MR), START, [Pull(model)], steps=100)
    i1, b1, o1 = (NAMES.index(name) for name in ("i1", "b1", "o1"))
    # A quantum of i1 gains 8/16, one of b1 4/16, one of o1 downwards 4/16.
    first = NASBENCH_MR.values(path[1].genes)
    assert (first[i1], first[b1], first[o1]) == (72, 2, 64)
    last = NASBENCH_MR.values(path[-1].genes)
    assert (last[i1], last[b1], last[o1]) == (128, 4, 8)
    assert len(path) == 1 + 8 + 2 + 7
    capped = climb(code_of(NASBENCH_MR), START, [Pull(model)], cap=Cap(model, 1, 1.0))
    assert NASBENCH_MR.values(capped[-1].genes)[i1] == 80


def test_tasks_pull_together_and_a_second_opinion_says_when_to_stop() -> None:
    models = [linear({"i1": 0.1}), linear({"i1": -0.2, "o1": 0.1})]
    path = propagate(code_of(NASBENCH_MR), START, [Pull(model) for model in models], steps=10)
    i1 = NAMES.index("i1")
    assert path[1].code[i1] == pytest.approx(64 - 3 * 0.1 * 16)
    assert path[1].predicted.shape == (2,)

    def likes_56(candidates: object) -> np.ndarray:
        codes = [NASBENCH_MR.values(genes)[i1] for genes in candidates]  # type: ignore[attr-defined]
        return -np.abs(np.array(codes) - 56.0)

    assert NASBENCH_MR.values(path[turning_point(path, likes_56)].genes)[i1] == 56


def test_names_are_one_hot_and_the_largest_part_counts() -> None:
    code = code_of(NASBENCH201)
    assert not code.numbers
    genes = (0, 1, 2, 3, 4, 0)
    vector = code.encode([genes])[0]
    assert vector.sum() == 6
    vector[3] = 1.5
    assert code.rounded(vector) == (3, 1, 2, 3, 4, 0)
    assert len(code.moves(genes)) == 24


def test_the_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    network = NcpNetwork(27, [1, 2]).eval().double()
    code = code_of(NASBENCH_MR)
    rows = code.encode(sample(NASBENCH_MR, 50, np.random.default_rng(0)))
    model = NcpModel(network.float(), Scale.of(rows), Scale(np.zeros(3), np.ones(3)))
    path = propagate(code, START, [Pull(model)], steps=1, rate=1.0)
    at = model.codes.units(code.encode([START]))
    slope = model.codes.units(path[1].code[None])[0] - at[0]
    for place in (0, 5, 26):
        step = np.zeros((1, 27))
        step[0, place] = 1e-2
        up, down = (model.predict(model.codes.values(at + sign * step))[0, 0] for sign in (1, -1))
        assert slope[place] == pytest.approx((up - down) / 2e-2, rel=0.02, abs=1e-4)


def test_costs_of_codes_are_those_of_the_networks() -> None:
    drawn = sample(NASBENCH_MR, 4, np.random.default_rng(1))
    flops, params = costs(values(np.array(drawn)))
    for genes, f, p in zip(drawn, flops, params, strict=True):
        cost = count_network(lambda genes=genes: NASBENCH_MR.build(genes), (3, 128, 128))
        assert f == cost.macs + 2 * cost.norm_elements + cost.conv_bias_adds
        assert p == cost.params
    assert [part.shape for part in CODES.walks(np.array(drawn))] == [(4, 27), (4, 10)]


DATA = Path(__file__).parents[2].parent / "shared" / "data" / "nasbench_mr.csv.gz"


@pytest.mark.skipif(not DATA.exists(), reason="the benchmark's table is not here")
def test_costs_of_codes_are_the_published_ones() -> None:
    from nasprof.tables._read import read_table

    table = read_table(DATA)
    rows = np.array(list(table.candidates(NASBENCH_MR)))
    flops, params = costs(values(rows))
    np.testing.assert_allclose(flops / 1e9, table.numbers("gflops"), rtol=0, atol=2e-15)
    assert np.array_equal(params, np.round(table.numbers("mparams") * 1e6))


def test_one_call_trains_follows_and_stops_within_the_limit() -> None:
    drawn = sample(NASBENCH_MR, 150, np.random.default_rng(2))
    flops, _ = costs(values(np.array(drawn)))
    # The deeper the better, in a formula.
    depth = [float(sum(NASBENCH_MR.code(genes).stages[3][1])) for genes in drawn]
    for winner_takes_all in (False, True):
        found = nasprof.propagate(
            "nasbench-mr",
            [NASBENCH_MR.describe(genes) for genes in drawn],
            {"depth": depth},
            start=NASBENCH_MR.describe(START),
            costs=(flops / 1e9).tolist(),
            limit=3.0,
            winner_takes_all=winner_takes_all,
            steps=15,
        )
        assert found.opinions.shape == (len(found.stages), 1)
        best = NASBENCH_MR.parse(found.text)
        assert sum(NASBENCH_MR.code(best).stages[3][1]) > 8
        assert costs(values(np.array([best])))[0][0] / 1e9 < 3.6


@pytest.mark.parametrize(
    ("count", "extra", "words"),
    [
        (5, {}, "20 networks"),
        (30, {"limit": 1.0}, "needs the costs"),
        (30, {"limit": 1.0, "costs": [1.0]}, "1 values for 30"),
        (30, {"limit": 1.0, "costs": [0.0] * 30}, "above zero"),
    ],
)
def test_bad_rows_are_refused(count: int, extra: dict[str, Any], words: str) -> None:
    drawn = sample(NASBENCH201, count, np.random.default_rng(0))
    with pytest.raises(InputError, match=words):
        propagate_rows(NASBENCH201, drawn, {"a": [0.5] * count}, start=drawn[0], **extra)
