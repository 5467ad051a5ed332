"""A short training on arrays: one schedule, seeded, and resumed from its last epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

_TEST_BATCH = 256


@dataclass(frozen=True, slots=True)
class Arrays:
    """Images that are trained on, and those that tell the accuracy.

    Shapes: images float32 [n, channels, height, width], labels int64 [n] from 0 on.
    """

    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor

    @property
    def classes(self) -> int:
        """How many classes the labels tell apart."""
        return int(max(self.train_labels.max(), self.test_labels.max())) + 1

    @property
    def channels(self) -> int:
        """Colours of an image."""
        return int(self.train_images.shape[1])


@dataclass(frozen=True, slots=True)
class Schedule:
    """SGD with Nesterov momentum whose rate rises to `rate` and falls to nothing (one cycle)."""

    epochs: int = 2
    batch: int = 64
    rate: float = 0.1

    def fit(self, network: nn.Module, arrays: Arrays, kept: Path | None = None) -> float:
        """Train the network and return its accuracy, a share of the test images.

        Random numbers are torch's. With `kept`, the state is written there after every epoch and a
        training that was killed goes on from it, to the same result.
        """
        optimizer = torch.optim.SGD(
            network.parameters(), lr=self.rate, momentum=0.9, nesterov=True, weight_decay=5e-4
        )
        steps = max(len(arrays.train_labels) // self.batch, 1)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.rate, total_steps=self.epochs * steps
        )
        parts = {"network": network, "optimizer": optimizer, "cycle": cycle}
        for epoch in range(_resumed(kept, parts), self.epochs):
            self._epoch(network, arrays, optimizer, cycle, steps)
            if kept is not None:
                _keep(kept, parts, epoch + 1)
        return accuracy(network, arrays)

    def _epoch(
        self,
        network: nn.Module,
        arrays: Arrays,
        optimizer: torch.optim.Optimizer,
        cycle: torch.optim.lr_scheduler.LRScheduler,
        steps: int,
    ) -> None:
        network.train()
        order = torch.randperm(len(arrays.train_labels))
        # The last, smaller batch is left out: BatchNorm of a handful of images is noise.
        for rows in order[: steps * self.batch].split(self.batch):
            scores = network(arrays.train_images[rows])
            loss = nn.functional.cross_entropy(scores, arrays.train_labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()

    def key(self) -> dict[str, Any]:
        """The settings, for a name that differs where they do."""
        return asdict(self)


def accuracy(network: nn.Module, arrays: Arrays) -> float:
    """The share of test images whose class scores highest."""
    network.eval()
    with torch.inference_mode():
        scores = torch.cat([network(part) for part in arrays.test_images.split(_TEST_BATCH)])
    return float((scores.argmax(dim=1) == arrays.test_labels).float().mean())


def _keep(path: Path, parts: dict[str, Any], epoch: int) -> None:
    state = {name: part.state_dict() for name, part in parts.items()}
    written = path.with_suffix(".part")
    torch.save({**state, "random": torch.get_rng_state(), "epoch": epoch}, written)
    written.replace(path)


def _resumed(path: Path | None, parts: dict[str, Any]) -> int:
    """Take up what was kept; the number of epochs that it has behind it."""
    if path is None or not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["random"])
    return int(state["epoch"])
