"""Everything about a module that all exporters need: a calibrated copy and what it must answer."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from exporters.calibration import calibrate, redraw_zero_weights
from exporters.data_flow import run_watched
from exporters.network import (
    arrays,
    flattened,
    index_limit,
    output_names,
    own_copy,
    parameter_count,
    tensors,
)
from exporters.options import ExportOptions
from exporters.routes import Request, reason
from exporters.samples import Array, draw, sized
from profiler.core.errors import InputError
from profiler.core.tensor import TensorSpec

PARITY_SEEDS = 3
_TRACE_SEED = 1009  # none of the compared ones: a value frozen by the trace must not go unseen
_DYNAMIC_SIZES = (1, 3)
_DYNAMIC_TRACE_SIZE = 2  # neither 1, which exporters freeze, nor a size that is compared

Feeds = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Job:
    """A module prepared for export.

    `cases` are the (seed, batch) of each feed, `reads` the places where Python code depends on the
    values of an input, `notes` what a person should know.
    """

    request: Request
    specs: tuple[TensorSpec, ...]
    params: int
    cases: tuple[tuple[int, int], ...]
    feeds: tuple[Feeds, ...]
    expected: tuple[Feeds, ...]
    reads: tuple[str, ...]
    notes: tuple[str, ...]


def prepare(module: nn.Module, inputs: Sequence[TensorSpec], options: ExportOptions) -> Job:
    """Copy and calibrate a module, and take its outputs on the inputs of the comparison.

    Raises: InputError when it cannot be copied, or does not run on such inputs.
    """
    network = own_copy(module)
    high = index_limit(network)
    notes = []
    if options.calibrate:
        fresh = calibrate(
            network, lambda seed, size: tensors(draw(inputs, seed, size, high)), options.batch
        )
        notes += [f"calibrated {fresh} BatchNorm layers that had seen no data"] if fresh else []
    sizes = _DYNAMIC_SIZES if options.dynamic_batch else (options.batch,)
    cases = tuple((options.seed + n, size) for n in range(PARITY_SEEDS) for size in sizes)
    feeds = tuple(draw(inputs, seed, size, high) for seed, size in cases)
    first, reads = _first_run(network, feeds[0])
    names = output_names(first, tuple(feeds[0]))
    expected = (arrays(first, names), *(_run(network, feed, names) for feed in feeds[1:]))
    if _constant(expected, len(sizes)):
        redrawn = redraw_zero_weights(network) if options.calibrate else 0
        if redrawn:
            notes.append(f"drew {redrawn} weights anew that were zero and hid the network")
            expected = tuple(_run(network, feed, names) for feed in feeds)
        else:
            notes.append("the outputs do not depend on the inputs: the comparison proves little")
    trace_size = _DYNAMIC_TRACE_SIZE if options.dynamic_batch else options.batch
    request = Request(
        network=flattened(network, first),
        inputs=tensors(draw(inputs, options.seed + _TRACE_SEED, trace_size, high)),
        input_names=tuple(spec.name for spec in inputs),
        output_names=names,
        free=_free(inputs, expected) if options.dynamic_batch else {},
        opset=options.opset,
    )
    return Job(
        request=request,
        specs=tuple(_final(spec, options) for spec in inputs),
        params=parameter_count(network),
        cases=cases,
        feeds=feeds,
        expected=expected,
        reads=reads,
        notes=tuple(notes),
    )


def answers_twice_alike(job: Job) -> bool:
    """Whether the module gives the same outputs when it is asked again."""
    again = _run(job.request.network, job.feeds[0], job.request.output_names)
    return all(array.tobytes() == again[name].tobytes() for name, array in job.expected[0].items())


def rounding_noise(job: Job) -> float:
    """How far float32 alone moves the module's outputs, relative to their scale.

    The difference to the same module in float64 on the same inputs; 0 where it has no such form.
    """
    names = job.request.output_names
    worst = 0.0
    try:
        precise = copy.deepcopy(job.request.network).double()
        for feed, want in zip(job.feeds, job.expected, strict=True):
            wide = [t.double() if t.is_floating_point() else t for t in tensors(feed)]
            for name, array in arrays(precise(*wide), names).items():
                scale = float(np.abs(array).max(initial=0.0))
                moved = float(np.abs(array - want[name]).max(initial=0.0))
                worst = max(worst, moved / scale if scale else 0.0)
    except Exception:  # noqa: BLE001 - a module may insist on float32
        return 0.0
    return worst if math.isfinite(worst) else 0.0


def _first_run(network: nn.Module, feed: Feeds) -> tuple[Any, tuple[str, ...]]:
    try:
        return run_watched(network, tensors(feed))
    except Exception:  # noqa: BLE001 - compiled parts refuse to be watched; a plain run decides
        return _call(network, feed), ()


def _run(network: nn.Module, feed: Feeds, names: Sequence[str]) -> dict[str, Array]:
    return arrays(_call(network, feed), names)


def _call(network: nn.Module, feed: Feeds) -> Any:
    try:
        return network(*tensors(feed))
    except Exception as error:  # whatever a module raises is the person's to mend
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in feed.items())
        raise InputError(f"the module does not run on {shapes}: {reason(error)}") from error


def _constant(expected: Sequence[Feeds], sizes: int) -> bool:
    """Whether all seeds gave the same outputs; `sizes` batch sizes take turns."""
    same = expected[::sizes]
    return all(
        torch.equal(torch.from_numpy(array), torch.from_numpy(other[name]))
        for other in same[1:]
        for name, array in same[0].items()
    )


def _free(inputs: Sequence[TensorSpec], expected: Sequence[Feeds]) -> dict[str, dict[int, str]]:
    """Name the axes that follow the batch: the first of every input, and what moved with it."""
    free = {spec.name: {0: "batch"} for spec in inputs if spec.shape}
    small, large = expected[:2]
    for name, array in small.items():
        pairs = enumerate(zip(array.shape, large[name].shape, strict=False))
        moved = [axis for axis, (a, b) in pairs if a != b]
        free[name] = {
            axis: "batch"
            if (array.shape[axis], large[name].shape[axis]) == _DYNAMIC_SIZES
            else f"{name}_dim_{axis}"
            for axis in moved
        }
    return free


def _final(spec: TensorSpec, options: ExportOptions) -> TensorSpec:
    """The specification of an input as it stands in the file."""
    shape: tuple[int | str, ...] = sized(spec, options.batch)
    if options.dynamic_batch and shape:
        shape = ("batch", *shape[1:])
    return TensorSpec(spec.name, spec.dtype, shape)
