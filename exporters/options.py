"""How an export is asked for, and what is told about it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporters.samples import Array
from profiler.core.outcome import OutputError
from profiler.core.tensor import TensorSpec

DEFAULT_OPSET = 18
"""Written by both exporters, and read by every runtime that nasprof converts for."""

Verify = Callable[
    [Path, Sequence[Mapping[str, Array]], Sequence[Mapping[str, Array]]], Sequence[OutputError]
]
"""Runs a file on each set of inputs and compares the outputs with each expected set, in order."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to export; `labels` are further metadata as (key, text).

    Unit: `tolerance` is the largest error relative to the outputs' scale.
    """

    batch: int = 1
    dynamic_batch: bool = False
    opset: int = DEFAULT_OPSET
    seed: int = 0
    exporter: str = "auto"
    tolerance: float = 1e-4
    calibrate: bool = True
    force: bool = False
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ParityCheck:
    """One comparison of the file's outputs with the module's."""

    seed: int
    batch: int
    max_abs: float
    relative: float


@dataclass(frozen=True, slots=True)
class ExportRecord:
    """What was exported and how far it is from torch.

    Unit: seconds. `steps` tells what each exporter did that was tried, and why one was left out.
    """

    path: Path
    exporter: str
    opset: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    params: int
    parity: tuple[ParityCheck, ...]
    steps: tuple[str, ...]
    seconds: float
