"""Accuracy after a short real training on the handwritten digits that ship with scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from nasprof.evaluate._evaluator import Accuracy
from nasprof.spaces._space import Genes, Space
from profiler.core.errors import InputError

_CLASSES = 10
_HELD_OUT = 0.4
_SPLIT_SEED = 0
_TEST_BATCH = 256


@dataclass(frozen=True, slots=True)
class Arrays:
    """The fixed stratified split; images standardised by the training part.

    Shapes: images [n, 1, 8, 8], labels [n].
    """

    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor


@dataclass(frozen=True, slots=True)
class Digits:
    """Trains the scaled-down network of the space on 1,078 images, tests it on the other 719.

    SGD with Nesterov momentum and a one-cycle schedule. Chosen on NAS-Bench-201 by own
    measurement: two cells a stage with 8 to 32 channels, two epochs, about 0.5 s on one core.
    On 100 random cells accuracies reach from 0.10 to 0.98 (median 0.91), Kendall's tau between two
    seeds is 0.65. Three and four epochs take 1.5 and 2 times as long for a tau of 0.58 and 0.53,
    because most cells then end near 0.98; one cell a stage with 16 channels gave 0.42 on 40 cells.
    Limits: a real signal, but a small task. Tau with the published CIFAR-10 validation accuracy
    of the same 100 cells is 0.22 (0.25 and 0.18 with three and four epochs).
    """

    name: str = "digits"
    usage: str = "digits"
    epochs: int = 2
    batch: int = 64
    rate: float = 0.1

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
        with _alone(seed):
            network = space.small(genes, classes=_CLASSES, channels=1)
            self._fit(network, arrays)
            return _accuracy(network, arrays)

    def _fit(self, network: nn.Module, arrays: Arrays) -> None:
        steps = len(arrays.train_labels) // self.batch
        optimizer = torch.optim.SGD(
            network.parameters(), lr=self.rate, momentum=0.9, nesterov=True, weight_decay=5e-4
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.rate, total_steps=self.epochs * steps
        )
        network.train()
        for _ in range(self.epochs):
            order = torch.randperm(len(arrays.train_labels))
            # The last, smaller batch is left out: BatchNorm of a handful of images is noise.
            for rows in order[: steps * self.batch].split(self.batch):
                scores = network(arrays.train_images[rows])
                loss = nn.functional.cross_entropy(scores, arrays.train_labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()


def _accuracy(network: nn.Module, arrays: Arrays) -> float:
    network.eval()
    with torch.inference_mode():
        scores = torch.cat([network(part) for part in arrays.test_images.split(_TEST_BATCH)])
    return float((scores.argmax(dim=1) == arrays.test_labels).float().mean())


@contextmanager
def _alone(seed: int) -> Iterator[None]:
    """Seed torch and use one thread, so that results don't hang on the machine; undo both."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def digits_arrays() -> Arrays:
    """The 1,797 images of 8x8 pixels, split once and for all."""
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
