"""Accuracy after a short real training on the handwritten digits that ship with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from exporters.seeding import seeded
from nasprof.evaluate._evaluator import Accuracy
from nasprof.evaluate._training import Arrays, Schedule
from nasprof.spaces._space import Genes, Space
from profiler.core.errors import InputError

_HELD_OUT = 0.4
_SPLIT_SEED = 0


@dataclass(frozen=True, slots=True)
class Digits:
    """Trains the scaled-down network of the space on 1,078 images, tests it on the other 719.

    Chosen on NAS-Bench-201 by own measurement: two cells a stage with 8 to 32 channels, two epochs,
    about 0.5 s on one core.
    On 100 random cells accuracies reach from 0.10 to 0.98 (median 0.91), Kendall's tau between two
    seeds is 0.65. Three and four epochs take 1.5 and 2 times as long for a tau of 0.58 and 0.53,
    because most cells then end near 0.98; one cell a stage with 16 channels gave 0.42 on 40 cells.
    Limits: a real signal, but a small task. Tau with the published CIFAR-10 validation accuracy
    of the same 100 cells is 0.22 (0.25 and 0.18 with three and four epochs).
    """

    name: str = "digits"
    usage: str = "digits"
    schedule: Schedule = field(default_factory=Schedule)

    def open(self, space: Space, argument: str | None, seed: int) -> Accuracy:
        """Prepare the training; the seed decides the first weights and the order of the images.

        Raises: InputError when the space has no network for images or an argument is given.
        """
        if argument is not None:
            raise InputError(f"accuracy 'digits' takes no argument, found {argument!r}")
        if space.task != "classification":
            raise InputError(
                f"space {space.name!r} is for {space.task}; 'digits' classifies images"
            )
        return lambda genes: self.train(space, genes, seed)

    def train(self, space: Space, genes: Genes, seed: int) -> float:
        """Train one architecture and return its accuracy on the held-out images."""
        arrays = digits_arrays()
        with seeded(seed):
            network = space.small(genes, classes=arrays.classes, channels=arrays.channels)
            return self.schedule.fit(network, arrays)


@lru_cache(maxsize=1)
def digits_arrays() -> Arrays:
    """The 1,797 images of 8x8 pixels, split once and for all, standardised by the training part.

    Shapes: images [n, 1, 8, 8].
    """
    found = load_digits()
    images = found.images.astype(np.float32)[:, None] / 16
    train, test, train_labels, test_labels = train_test_split(
        images, found.target, test_size=_HELD_OUT, random_state=_SPLIT_SEED, stratify=found.target
    )
    centre, scale = float(train.mean()), float(train.std())
    return Arrays(
        torch.from_numpy((train - centre) / scale),
        torch.from_numpy(train_labels),
        torch.from_numpy((test - centre) / scale),
        torch.from_numpy(test_labels),
    )


PLUGIN = Digits()
