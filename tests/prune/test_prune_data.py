"""Images for pruning: where they come from, and how they are made to fit a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nasprof.prune._data import fitted, open_data
from nasprof.subjects._subject import image
from profiler.core.errors import InputError

LOADER = """
import numpy as np
def arrays():
    x = np.arange(6 * 8 * 8, dtype=np.float32).reshape(6, 1, 8, 8)
    y = np.array([0, 1, 0, 1, 0, 1])
    return x[:4], y[:4], x[4:], y[4:]
def mapping():
    return dict(zip(("x_train", "y_train", "x_test", "y_test"), arrays()))
def three():
    return arrays()[:3]
def nothing():
    return None
def fails():
    raise RuntimeError("no disk")
"""


@pytest.fixture
def loader(tmp_path: Path) -> Path:
    path = tmp_path / "loader.py"
    path.write_text(LOADER)
    return path


def test_digits_ship_with_a_dependency() -> None:
    assert open_data("digits").train_images.shape == (1078, 1, 8, 8)


@pytest.mark.parametrize("name", ["arrays", "mapping"])
def test_a_loader_gives_four_arrays(loader: Path, name: str) -> None:
    arrays = open_data(f"{loader}:{name}")
    assert arrays.train_images.shape == (4, 1, 8, 8)
    assert abs(float(arrays.train_images.mean())) < 1e-6
    assert arrays.test_labels.tolist() == [0, 1]


def test_a_file_of_arrays(tmp_path: Path, loader: Path) -> None:
    scope: dict[str, object] = {}
    exec(LOADER, scope)  # noqa: S102 - the text above
    np.savez(tmp_path / "a.npz", **scope["mapping"]())
    own, other = open_data(f"npz:{tmp_path / 'a.npz'}"), open_data(f"{loader}:arrays")
    assert torch.equal(own.test_images, other.test_images)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mnist", "unknown data 'mnist'; give digits, npz:FILE"),
        ("npz:", "unknown data"),
        ("npz:missing.npz", "cannot be read"),
        ("no_such_module:load", "cannot import 'no_such_module'"),
        ("{loader}:other", "no 'other'"),
        ("{loader}:nothing", "returned NoneType"),
        ("{loader}:three", "returned tuple"),
        ("{loader}:fails", "RuntimeError: no disk"),
    ],
)
def test_what_is_no_data_is_said_in_one_line(loader: Path, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        open_data(text.format(loader=loader))
    assert "\n" not in str(caught.value)


def test_grey_images_become_what_the_network_takes() -> None:
    arrays, notes = fitted(open_data("digits"), image((3, 16, 16)))
    assert arrays.train_images.shape == (1078, 3, 16, 16)
    assert torch.equal(arrays.test_images[:, 0], arrays.test_images[:, 2])
    assert notes == ("grey images repeated for 3 channels", "images of 8x8 resized to 16x16")


def test_images_that_fit_are_left_alone() -> None:
    arrays, notes = fitted(open_data("digits"), image((1, 8, 8)))
    assert notes == ()
    assert torch.equal(arrays.test_images, open_data("digits").test_images)


def test_colours_are_not_thrown_away() -> None:
    colour, _ = fitted(open_data("digits"), image((3, 8, 8)))
    with pytest.raises(InputError, match="have 3 channels and the network takes 4"):
        fitted(colour, image((4, 8, 8)))
    with pytest.raises(InputError, match="int64 of 128; pruning trains on float32 images"):
        fitted(colour, image((128,), dtype="int64"))
