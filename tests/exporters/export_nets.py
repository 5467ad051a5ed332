"""Small networks, and a comparison on ONNX Runtime in the test's own process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from torch import nn

from profiler.core.outcome import OutputError
from profiler.core.tensor import TensorSpec
from profiler.parity import compare

Feeds = Sequence[Mapping[str, np.ndarray[Any, Any]]]

IMAGE = (TensorSpec("input", "float32", (1, 3, 8, 8)),)
ROW = (TensorSpec("input", "float32", (1, 6)),)


class ConvNet(nn.Module):
    """Two convolutions with BatchNorm; the second weight starts at zero, as libraries do it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.BatchNorm2d(4)
        nn.init.zeros_(self.last.weight)
        self.classifier = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        x = x + self.last(self.second(x))
        scores: torch.Tensor = self.classifier(x.mean((2, 3)))
        return scores


class Branching(nn.Module):
    """Takes another path for inputs with a positive sum."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.linear(x)
        return y if x.sum() > 0 else 2 * y


def run_file(path: Path, feeds: Feeds) -> list[dict[str, np.ndarray[Any, Any]]]:
    """Outputs of a file."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return [dict(zip(names, session.run(None, dict(feed)), strict=True)) for feed in feeds]


def verify(path: Path, feeds: Feeds, expected: Feeds) -> list[OutputError]:
    """Compare a file with expected outputs."""
    return [compare(a, b) for a, b in zip(expected, run_file(path, feeds), strict=True)]
