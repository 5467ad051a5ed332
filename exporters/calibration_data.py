"""Inputs that a quantiser watches: a person's own, or noise."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from profiler.core.errors import InputError, ModelError
from profiler.core.outcome import FailureKind
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec

Sample: TypeAlias = dict[str, NDArray[Any]]
RANDOM = "random"
METHODS = ("minmax", "entropy", "percentile")
_NOISE_SAMPLES = 16


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a model is quantised to eight bits.

    `source` is `random`, an `.npz` file, or a folder of them, with arrays under the inputs' names.
    `operators` are the operator types that are quantised; empty for the usual ones.
    """

    source: str = RANDOM
    method: str = "minmax"
    dynamic: bool = False
    operators: tuple[str, ...] = ()

    def identity(self) -> list[object]:
        """Changes when the result would."""
        digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files(self)]
        return [self.method, self.dynamic, list(self.operators), digests, saturates()]


USUAL = Calibration()
QUANTISED = "int8"
DATA = "data"
OPTIONS = ("calibration", "quantization", DATA)
"""Options of a target at int8 that say how its model is quantised; the last by which data."""


def with_data(target: Target, source: str) -> Target:
    """Mark a target whose model is quantised with a person's data; others stay as they are.

    Raises: InputError when there is no data.
    """
    if source == RANDOM or target.precision != QUANTISED:
        return target
    check(Calibration(source))
    content = b"".join(file.read_bytes() for file in files(Calibration(source)))
    mark = (DATA, hashlib.sha256(content).hexdigest()[:12])
    return replace(target, options=tuple(sorted((*target.options, mark))))


def calibration_of(target: Target, source: str = RANDOM) -> Calibration:
    """The calibration that a target's options name, with data of a source.

    Raises: InputError for a word that is none.
    """
    if target.precision != QUANTISED:
        return USUAL
    options = dict(target.options)
    kind = options.get("quantization", "static")
    if kind not in ("static", "dynamic"):
        raise InputError(f"unknown quantization {kind!r}; there are: static, dynamic")
    found = Calibration(source, options.get("calibration", "minmax"), kind == "dynamic")
    check(found)
    return found


def further_options(target: Target) -> list[str]:
    """Names of a target's options that say nothing of how its model is quantised."""
    known = OPTIONS if target.precision == QUANTISED else ()
    return [name for name, _ in target.options if name not in known]


@cache
def saturates() -> bool:
    """Whether this processor adds products of eight bits in sixteen, where they can overflow.

    So do x86 processors without VNNI; weights of seven bits avoid it.
    """
    try:
        found = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return False
    flags = set(found[1].split()) if found else set()
    return "avx2" in flags and not flags & {"avx_vnni", "avx512_vnni"}


def check(calibration: Calibration) -> None:
    """Refuse what cannot be used, before any work.

    Raises: InputError naming the input and the remedy.
    """
    if calibration.method not in METHODS:
        raise InputError(
            f"unknown calibration {calibration.method!r}; there are: {', '.join(METHODS)}"
        )
    if calibration.source != RANDOM and not files(calibration):
        raise InputError(
            f"no calibration data in {calibration.source!r}; give an .npz file with an array for "
            "each input, a folder of them, or random"
        )


def refuse_unknown(calibration: Calibration, library: str) -> None:
    """For libraries that quantise the whole graph, between the smallest and the largest value.

    Raises: ModelError for any other way.
    """
    if calibration.method != "minmax" or calibration.operators:
        raise ModelError(
            FailureKind.UNSUPPORTED, f"{library}'s int8 is of the whole graph, by minmax"
        )


def files(calibration: Calibration) -> list[Path]:
    """The files of a calibration, none for noise."""
    if calibration.source == RANDOM:
        return []
    place = Path(calibration.source)
    found = sorted(place.glob("*.npz")) if place.is_dir() else [place]
    return [file for file in found if file.is_file()]


def samples(calibration: Calibration, inputs: Sequence[TensorSpec]) -> list[Sample]:
    """One set of inputs after another.

    Shapes: an array is the input's own, or has one axis more in front, or instead of batch 1, that
    counts samples.
    Raises: ModelError when arrays are missing or do not fit.
    """
    if calibration.source == RANDOM:
        rng = np.random.default_rng(0)
        return [{s.name: _noise(s, rng) for s in inputs} for _ in range(_NOISE_SAMPLES)]
    return [sample for file in files(calibration) for sample in _read(file, inputs)]


def _read(file: Path, inputs: Sequence[TensorSpec]) -> list[Sample]:
    try:
        with np.load(file, allow_pickle=False) as stored:
            stacks = {spec.name: _stack(file, spec, stored) for spec in inputs}
    except (OSError, ValueError) as error:
        raise _unfit(file, str(error)) from error
    counts = {len(stack) for stack in stacks.values()}
    if len(counts) != 1:
        raise _unfit(file, f"its inputs have different numbers of samples: {sorted(counts)}")
    return [{name: stack[n] for name, stack in stacks.items()} for n in range(counts.pop())]


def _stack(file: Path, spec: TensorSpec, stored: Any) -> NDArray[Any]:
    """Samples along a first axis of their own."""
    if spec.name not in stored:
        raise _unfit(file, f"it has no array {spec.name!r}; it has: {', '.join(stored)}")
    array: NDArray[Any] = stored[spec.name].astype(spec.dtype)
    shape = tuple(spec.shape or ())
    if array.shape == shape:
        return array[None]
    if array.shape[1:] == shape:
        return array
    if shape[:1] == (1,) and array.shape[1:] == shape[1:]:
        return array[:, None]
    raise _unfit(file, f"{spec.name!r} is {array.shape}, the model takes {shape}")


def _noise(spec: TensorSpec, rng: np.random.Generator) -> NDArray[Any]:
    shape = tuple(size for size in spec.shape or () if isinstance(size, int))
    if np.dtype(spec.dtype).kind == "f":
        return rng.standard_normal(shape).astype(spec.dtype)
    return rng.integers(0, 2, shape).astype(spec.dtype)


def _unfit(file: Path, why: str) -> ModelError:
    return ModelError(FailureKind.BAD_INPUT, f"calibration data {file.name}: {why}")
