from __future__ import annotations

import numpy as np
import pytest

from nasprof.predict._log import fit_log
from nasprof.predict._predictor import LEVEL, Array, Predictor
from nasprof.predict.mlp import Mlp
from profiler.core.plugins import load, names

PREDICTORS = names("nasprof.predict")
QUICK: dict[str, Predictor] = {"mlp": Mlp(width=64)}


def _predictor(name: str) -> Predictor:
    found: Predictor = QUICK.get(name) or load("nasprof.predict", name)
    return found


def _data(seed: int, count: int, noise: float = 0.05) -> tuple[Array, Array]:
    """One-hot rows of five genes with additive effects and one interaction."""
    rng = np.random.default_rng(seed)
    genes = rng.integers(0, 4, size=(count, 5))
    effects = np.random.default_rng(99).normal(size=(5, 4))
    y = effects[np.arange(5), genes].sum(axis=1) + 1.5 * (genes[:, 0] == genes[:, 1])
    return np.eye(4)[genes].reshape(count, 20), y + noise * rng.normal(size=count)


@pytest.mark.parametrize("name", PREDICTORS)
def test_learns_ranks_and_its_intervals_cover_new_rows(name: str) -> None:
    predictor = _predictor(name)
    covered = []
    for seed in range(3):
        x, y = _data(seed, 150)
        new_x, new_y = _data(100 + seed, 400)
        found = predictor.fit(x, y, seed).predict(new_x)
        assert found.mean.shape == found.low.shape == found.high.shape == (400,)
        assert np.all(found.low <= found.mean)
        assert np.all(found.mean <= found.high)
        ranks = np.corrcoef(found.mean.argsort().argsort(), new_y.argsort().argsort())[0, 1]
        assert ranks > 0.8
        covered.append(np.mean((found.low <= new_y) & (new_y <= found.high)))
    assert LEVEL - 0.12 <= np.mean(covered) <= 0.995


@pytest.mark.parametrize("name", PREDICTORS)
def test_the_seed_decides_and_the_callers_generators_are_left_alone(name: str) -> None:
    import torch

    predictor = _predictor(name)
    x, y = _data(0, 40)
    torch.manual_seed(5)
    np.random.seed(5)
    one = predictor.fit(x, y, 1).predict(x)
    drawn = (torch.rand(1).item(), np.random.rand())
    torch.manual_seed(5)
    np.random.seed(5)
    assert drawn == (torch.rand(1).item(), np.random.rand())
    same = predictor.fit(x, y, 1).predict(x)
    np.testing.assert_array_equal(one.mean, same.mean)
    np.testing.assert_array_equal(one.low, same.low)


@pytest.mark.parametrize("name", PREDICTORS)
@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_rows_give_an_answer_that_claims_nothing(name: str, count: int) -> None:
    x, y = _data(0, count)
    found = _predictor(name).fit(x, y, 0).predict(_data(1, 3)[0])
    np.testing.assert_allclose(found.mean, np.mean(y) if count else 0.0)
    assert np.all(np.isinf(found.high - found.low))


@pytest.mark.parametrize("name", PREDICTORS)
def test_equal_values_and_equal_rows_are_no_trouble(name: str) -> None:
    x, y = _data(0, 12)
    same_y = _predictor(name).fit(x, np.ones(12), 0).predict(x)
    np.testing.assert_allclose(same_y.mean, 1.0, atol=0.05)
    same_x = _predictor(name).fit(np.repeat(x[:1], 12, axis=0), y, 0).predict(x[:1])
    np.testing.assert_allclose(same_x.mean, y.mean(), atol=0.5)


@pytest.mark.parametrize("name", PREDICTORS)
def test_every_predictor_says_where_its_intervals_come_from(name: str) -> None:
    plugin = load("nasprof.predict", name)
    assert plugin.name == name
    assert "residuals" in plugin.intervals


def test_ridge_pairs_finds_the_leave_one_out_residuals_of_refitting() -> None:
    from nasprof.predict import ridge_pairs

    rng = np.random.default_rng(0)
    rows, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    weights, residuals = ridge_pairs._ridge(rows - rows.mean(0), y - y.mean())
    errors = []
    for penalty in ridge_pairs._PENALTIES:
        refitted = []
        for i in range(20):
            kept = np.arange(20) != i
            x, centre, mean = rows[kept], rows[kept].mean(0), y[kept].mean()
            gram = (x - centre).T @ (x - centre) + penalty * np.eye(3)
            refit = np.linalg.solve(gram, (x - centre).T @ (y[kept] - mean))
            refitted.append(y[i] - mean - (rows[i] - centre) @ refit)
        errors.append((np.mean(np.square(refitted)), refitted))
    np.testing.assert_allclose(residuals, min(errors)[1], rtol=0.05, atol=0.02)
    assert weights.shape == (3,)


def test_log_space_keeps_values_and_bounds_above_zero() -> None:
    x, y = _data(0, 60)
    found = fit_log(load("nasprof.predict", "gp"), x, np.exp(y), 0).predict(x)
    assert np.all(found.low > 0)
    assert np.median(np.abs(found.mean / np.exp(y) - 1)) < 0.3


def test_the_network_of_ncp_is_built_as_published() -> None:
    """27 numbers, heads of 1, 2 and 2 metrics: weights counted by hand."""
    from nasprof.predict.ncp import NcpNetwork

    network = NcpNetwork(27, [1, 2, 2])
    trunk = 2 * 27 + (27 * 256 + 256) + 2 * 256
    head = (256 * 128 + 128) + 2 * 128
    assert sum(p.numel() for p in network.parameters()) == trunk + 3 * head + (1 + 2 + 2) * 129
    dropouts = [part.p for part in network.modules() if type(part).__name__ == "Dropout"]
    assert dropouts == [0.5, 0.5, 0.5, 0.0]


def test_ncp_selects_the_epoch_that_is_best_on_the_held_rows() -> None:
    from dataclasses import replace

    from nasprof.predict.ncp import Held, Training, train

    x, y = _data(0, 120)
    new_x, new_y = _data(1, 60)
    held = Held(new_x, new_y)
    model = train(x, [y[:, None]], 0, training=Training(epochs=30), held=held)
    assert model.selected is not None
    best = replace(model, network=model.selected)

    def error(of: object) -> float:
        return float(np.abs(of.predict(new_x)[:, 0] - new_y).mean())  # type: ignore[attr-defined]

    assert error(best) <= error(model)
    same = train(x, [y[:, None]], 0, training=Training(epochs=30))
    np.testing.assert_array_equal(same.predict(new_x), model.predict(new_x))


def test_length_scales_tell_features_that_matter_from_noise() -> None:
    from nasprof.predict.gp_ard import ArdGaussianProcess

    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 6))
    y = np.sin(2 * x[:, 0]) + 0.05 * rng.normal(size=120)
    fitted = ArdGaussianProcess().fit(x, y, 0)
    new = rng.normal(size=(200, 6))
    assert np.corrcoef(fitted.predict(new).mean, np.sin(2 * new[:, 0]))[0, 1] > 0.97
    unit = fitted.unit.numpy()  # type: ignore[attr-defined]
    assert unit[0] > 3 * unit[1:].max()
