"""Accuracy after a short training on the arrays of an .npz file."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exporters.seeding import seeded
from nasprof.evaluate._training import Arrays, Schedule
from nasprof.spaces._space import Genes, Space
from profiler.core.errors import InputError
from profiler.core.units import printable

NAMES = ("x_train", "y_train", "x_test", "y_test")
_SMALLEST = 8


@dataclass(frozen=True, slots=True)
class Trainer:
    """Trains the scaled-down network of each candidate; its epochs are kept in `folder`."""

    space: Space
    arrays: Arrays
    schedule: Schedule
    seed: int
    folder: Path
    data: str

    def __call__(self, genes: Genes) -> float:
        """Train one architecture, from where a kill left it, and return its test accuracy."""
        identity = [self.data, self.space.name, genes, self.seed, self.schedule.key()]
        name = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:24]
        kept = self.folder / f"{name}.pt"
        self.folder.mkdir(parents=True, exist_ok=True)
        with seeded(self.seed):
            network = self.space.small(
                genes, classes=self.arrays.classes, channels=self.arrays.channels
            )
            found = self.schedule.fit(network, self.arrays, kept)
        kept.unlink(missing_ok=True)
        return found


def trainer(space: Space, argument: str, seed: int) -> Trainer:
    """Read `FILE.npz` or `FILE.npz:epochs=4,batch=64,rate=0.1`.

    Raises: InputError when the file has not the arrays, or a setting is none.
    """
    import platformdirs

    name, _, settings = argument.partition(".npz")
    path = Path(f"{name}.npz")
    if space.task != "classification":
        raise InputError(f"space {space.name!r} is for {space.task}; arrays train classifiers")
    arrays, data = read_arrays(path)
    folder = Path(platformdirs.user_cache_dir("nasprof", appauthor=False)) / "training"
    return Trainer(space, arrays, _schedule(settings.removeprefix(":")), seed, folder, data)


def read_arrays(path: Path) -> tuple[Arrays, str]:
    """The four arrays, images standardised by the training part, and the hash of the file.

    Shapes: x [n, channels, height, width] or [n, height, width] (one channel), y [n] whole numbers.
    Raises: InputError naming the array that is missing or has a shape that can't be.
    """
    shown = printable(str(path))
    try:
        data = hashlib.sha256(path.read_bytes()).hexdigest()
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in NAMES if name in file}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{shown} cannot be read as an .npz file: {error}") from error
    return arrays_of(found, shown), data


def arrays_of(found: Mapping[str, NDArray[np.generic]], shown: str) -> Arrays:
    """Check the four arrays and standardise the images by the training part.

    Shapes: as `read_arrays`; `shown` names where they are from.
    Raises: InputError naming the array that is missing or has a shape that can't be.
    """
    if missing := [name for name in NAMES if name not in found]:
        raise InputError(f"{shown} has no array {missing[0]!r}; it needs {', '.join(NAMES)}")
    train, test = (_images(found[name], name, shown) for name in ("x_train", "x_test"))
    labels = [_labels(found[f"y_{part}"], f"y_{part}", shown) for part in ("train", "test")]
    for images, some, part in zip((train, test), labels, ("train", "test"), strict=True):
        if len(images) != len(some) or len(some) == 0:
            raise InputError(
                f"{shown}: x_{part} has {len(images)} images and y_{part} {len(some)} labels"
            )
    if train.shape[1:] != test.shape[1:]:
        raise InputError(f"{shown}: images of x_train and x_test differ in shape")
    axes = (0, 2, 3)
    centre = train.mean(axes, keepdims=True)
    scale = np.maximum(train.std(axes, keepdims=True), 1e-6)
    made = [torch.from_numpy((part - centre) / scale) for part in (train, test)]
    kept = [torch.from_numpy(some) for some in labels]
    return Arrays(made[0], kept[0], made[1], kept[1])


def _images(values: NDArray[np.generic], name: str, path: str) -> NDArray[np.float32]:
    values = values[:, None] if values.ndim == 3 else values
    if values.ndim != 4 or min(values.shape[2:]) < _SMALLEST or values.dtype.kind not in "fiu":
        shape = "x".join(map(str, values.shape))
        raise InputError(
            f"{path}: {name} is {values.dtype} {shape}; it must be numbers of "
            f"n x channels x height x width, {_SMALLEST} pixels a side or more"
        )
    return values.astype(np.float32)


def _labels(values: NDArray[np.generic], name: str, path: str) -> NDArray[np.int64]:
    if values.ndim != 1 or values.dtype.kind not in "iu" or (len(values) and int(values.min()) < 0):
        raise InputError(f"{path}: {name} must hold one whole number from 0 on for each image")
    return values.astype(np.int64)


def _schedule(text: str) -> Schedule:
    """Read `epochs=4,batch=64,rate=0.1`.

    Raises: InputError naming the setting.
    """
    kinds = {field.name: float if field.name == "rate" else int for field in fields(Schedule)}
    found: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        try:
            number = kinds[name](value) if equals else 0
        except (KeyError, ValueError):
            number = 0
        if not number > 0:
            raise InputError(
                f"training setting {part!r} is none; write for example epochs=4,batch=64,rate=0.1"
            )
        found[name] = number
    return Schedule(**found)
