"""The images that a pruning trains on and is judged by: `digits`, `npz:FILE`, `module:loader`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from nasprof.evaluate._arrays import NAMES, arrays_of, read_arrays
from nasprof.evaluate._training import Arrays
from nasprof.evaluate.digits import digits_arrays
from nasprof.subjects.python_file import function_in, run_file
from profiler.core.errors import InputError
from profiler.core.tensor import TensorSpec
from profiler.core.units import printable

USAGE = "digits, npz:FILE, MODULE:LOADER or FILE.py:LOADER"


def open_data(text: str) -> Arrays:
    """Read the images that a person named.

    A loader is a function without arguments that returns x_train, y_train, x_test and y_test, as
    a mapping or in this order; its code runs in this process.
    Raises: InputError that names what is missing.
    """
    if text == "digits":
        return digits_arrays()
    kind, colon, rest = text.partition(":")
    if kind == "npz" and rest:
        return read_arrays(Path(rest))[0]
    place, colon, name = text.rpartition(":")
    if not (colon and place and name):
        raise InputError(f"unknown data {printable(text)!r}; give {USAGE}")
    return _loaded(_function(place, name), text)


def fitted(arrays: Arrays, spec: TensorSpec) -> tuple[Arrays, tuple[str, ...]]:
    """The images as the network takes them, and in words what was done to them.

    Grey images are repeated for each colour, and images of another size are resized (bilinear).
    Raises: InputError where that doesn't make them fit.
    """
    wanted = tuple(size for size in (spec.shape or ())[1:] if isinstance(size, int))
    if spec.dtype != "float32" or len(wanted) != 3:
        raise InputError(
            f"the network takes {spec.dtype} of {_shape(wanted)}; pruning trains on float32 images "
            "of channels x height x width"
        )
    channels, *size = wanted
    notes = []
    if arrays.channels != channels:
        if arrays.channels != 1:
            raise InputError(
                f"the images have {arrays.channels} channels and the network takes {channels}"
            )
        notes.append(f"grey images repeated for {channels} channels")
    shape = tuple(arrays.train_images.shape[2:])
    if shape != tuple(size):
        notes.append(f"images of {_shape(shape)} resized to {_shape(size)}")

    def fit(images: torch.Tensor) -> torch.Tensor:
        images = images.expand(-1, channels, -1, -1)
        if images.shape[2:] == torch.Size(size):
            return images
        return nn.functional.interpolate(images, size=size, mode="bilinear", align_corners=False)

    train, test = fit(arrays.train_images), fit(arrays.test_images)
    return replace(arrays, train_images=train, test_images=test), tuple(notes)


def _function(place: str, name: str) -> Callable[[], Any]:
    if place.endswith(".py"):
        return function_in(run_file(Path(place)), Path(place).name, name)
    try:
        module = importlib.import_module(place)
    except Exception as error:  # a module can raise anything
        raise InputError(f"data: cannot import {printable(place)!r}: {error}") from error
    return function_in(module, place, name)


def _loaded(loader: Callable[[], Any], text: str) -> Arrays:
    try:
        found = loader()
    except Exception as error:  # a person's function can raise anything
        raise InputError(f"data {text}: {type(error).__name__}: {error}") from error
    if isinstance(found, Sequence) and len(found) == len(NAMES):
        found = dict(zip(NAMES, found, strict=True))
    if not isinstance(found, Mapping):
        raise InputError(f"data {text}: returned {type(found).__name__}, not {', '.join(NAMES)}")
    return arrays_of({name: np.asarray(part) for name, part in found.items()}, f"data {text}")


def _shape(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))
