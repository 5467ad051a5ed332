"""Training on the arrays of a file: it learns, its seed decides, and a kill costs one epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from exporters.seeding import seeded
from nasprof.evaluate import _training
from nasprof.evaluate._arrays import read_arrays
from nasprof.evaluate._evaluator import open_evaluator
from nasprof.evaluate._training import Schedule
from nasprof.evaluate.digits import digits_arrays
from nasprof.spaces.nasbench201 import PLUGIN as SPACE
from profiler.core.errors import InputError

CONVOLUTIONS = (3, 1, 1, 1, 1, 3)


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    found = load_digits()
    images, labels = found.images, found.target
    return {
        "x_train": images[:600], "y_train": labels[:600], "x_test": images[600:900],
        "y_test": labels[600:900],
    }  # fmt: skip


def saved(path: Path, arrays: dict[str, np.ndarray]) -> str:
    np.savez(path, **arrays)
    return str(path)


def test_it_learns_and_leaves_nothing_behind(tmp_path, arrays, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = saved(tmp_path / "digits.npz", arrays)
    accuracy = open_evaluator(f"train:{file}:epochs=3,batch=32", SPACE, 0)
    assert accuracy(CONVOLUTIONS) > 0.6
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


class KilledError(Exception):
    pass


def test_a_training_that_was_killed_ends_as_one_that_was_not(tmp_path, monkeypatch) -> None:
    schedule, arrays = Schedule(epochs=3, batch=256), digits_arrays()

    def trained(kept: Path | None) -> float:
        with seeded(1):
            network = SPACE.small(CONVOLUTIONS, classes=10, channels=1)
            schedule.fit(network, arrays, kept)
            return float(torch.cat([p.detach().flatten() for p in network.parameters()]).sum())

    whole = trained(None)
    epochs = []
    epoch = Schedule._epoch

    def counted(self: Schedule, *arguments: object) -> None:
        if len(epochs) == 2:
            epochs.append("killed")
            raise KilledError
        epochs.append("done")
        epoch(self, *arguments)

    monkeypatch.setattr(_training.Schedule, "_epoch", counted)
    with pytest.raises(KilledError):
        trained(tmp_path / "kept.pt")
    assert trained(tmp_path / "kept.pt") == whole
    assert epochs == ["done", "done", "killed", "done"]


def test_channels_are_standardised_by_the_training_part(tmp_path, arrays) -> None:
    colours = {
        name: np.stack([values, 3 * values + 1], axis=1) if name.startswith("x") else values
        for name, values in arrays.items()
    }
    found, _ = read_arrays(Path(saved(tmp_path / "two.npz", colours)))
    assert found.channels == 2
    assert found.classes == 10
    assert found.train_images.mean((0, 2, 3)).abs().max() < 1e-5
    assert found.train_images.std((0, 2, 3)).sub(1).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("change", "settings", "words"),
    [
        ({"y_test": None}, "", "has no array 'y_test'; it needs x_train"),
        ({"x_train": np.zeros((3, 4, 4))}, "", "x_train is float64 3x1x4x4"),
        ({"y_train": np.zeros(5, int)}, "", "x_train has 600 images and y_train 5 labels"),
        ({"y_test": np.full(300, 0.5)}, "", "y_test must hold one whole number"),
        ({"x_test": np.zeros((300, 9, 9))}, "", "differ in shape"),
        ({}, ":epochs=0", "setting 'epochs=0' is none"),
        ({}, ":momentum=1", "setting 'momentum=1' is none"),
    ],
)
def test_bad_files_and_settings_are_one_clear_line(
    tmp_path, arrays, change, settings, words
) -> None:
    changed = {name: value for name, value in (arrays | change).items() if value is not None}
    file = saved(tmp_path / "bad.npz", changed)
    with pytest.raises(InputError) as caught:
        open_evaluator(f"train:{file}{settings}", SPACE, 0)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_none_or_holds_pickles_is_refused(tmp_path, arrays) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    objects = arrays | {"x_train": np.array([object()], dtype=object)}
    for name in ("text.npz", "absent.npz", Path(saved(tmp_path / "objects.npz", objects)).name):
        with pytest.raises(InputError, match="cannot be read"):
            open_evaluator(f"train:{tmp_path / name}", SPACE, 0)
