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

KEEP_OPSET = 0
"""The opset of a copy: whatever the original has."""

LARGEST_MESSAGE_BYTES = 2**31 - 2**24
"""Above this the weights go to a file of their own: a protobuf message ends at 2 GiB."""

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
    """What was exported and how far it is from its subject.

    `params` counts the parameters of the torch module, None without one. `steps` tells what each
    exporter did that was tried, and why one was left out.
    """

    exporter: str
    opset: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    params: int | None
    parity: tuple[ParityCheck, ...]
    steps: tuple[str, ...]

    @property
    def batch(self) -> int | None:
        """The fixed batch size, None for a dynamic one."""
        first = self.inputs[0].shape if self.inputs else None
        return first[0] if first and isinstance(first[0], int) else None


def judge(
    cases: Sequence[tuple[int, int]], errors: Sequence[OutputError], tolerance: float
) -> tuple[tuple[ParityCheck, ...], str | None]:
    """Pair the errors with their (seed, batch); the text says what is wrong with the worst one."""
    checks = tuple(
        ParityCheck(seed, batch, error.max_abs, error.relative)
        for (seed, batch), error in zip(cases, errors, strict=True)
    )
    worst = max(checks, key=lambda check: check.relative)
    if worst.relative <= tolerance:
        return checks, None
    return checks, (
        f"the outputs differ by {worst.relative:.2g} of their scale (largest difference "
        f"{worst.max_abs:.3g}, seed {worst.seed}, batch {worst.batch}); {tolerance:g} is allowed"
    )
