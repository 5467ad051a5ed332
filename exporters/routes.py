"""The ways from torch to ONNX: the tracing exporter and the one on torch.export."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from exporters.options import LARGEST_MESSAGE_BYTES

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Request:
    """What to export, already prepared, and how to name it.

    `free` are the dimensions without a fixed size: name of input or output -> axis -> name.
    """

    network: nn.Module
    inputs: tuple[torch.Tensor, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    free: Mapping[str, Mapping[int, str]]
    opset: int


def is_large(network: nn.Module) -> bool:
    """Whether the weights of a network need a file of their own."""
    tensors = network.state_dict().values()
    total: int = sum(t.nbytes for t in tensors if isinstance(t, torch.Tensor))
    return total > LARGEST_MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class Route:
    """An exporter of torch with the opsets that it honours."""

    write: Callable[[Request, Path], None]
    opsets: range


def _torchscript(request: Request, path: Path) -> None:
    torch.onnx.export(
        request.network,
        request.inputs,
        str(path),
        dynamo=False,
        opset_version=request.opset,
        input_names=list(request.input_names),
        output_names=list(request.output_names),
        dynamic_axes={name: dict(axes) for name, axes in request.free.items()},
    )


def _dynamo(request: Request, path: Path) -> None:
    free = [request.free.get(name, {}) for name in request.input_names]
    sizes = {label: torch.export.Dim(label) for axes in free for label in axes.values()}
    shapes = [{axis: sizes[label] for axis, label in axes.items()} for axes in free]
    named = _named_parameters(request.network)
    if named < len(shapes):  # the rest goes into *args, which is one more level of nesting
        shapes[named:] = [tuple(shapes[named:])]  # type: ignore[list-item]
    program = torch.onnx.export(
        request.network,
        request.inputs,
        dynamo=True,
        verbose=False,
        opset_version=request.opset,
        input_names=list(request.input_names),
        output_names=list(request.output_names),
        dynamic_shapes=tuple(shapes) if request.free else None,
    )
    program.save(str(path), external_data=is_large(request.network))


# torch 2.13: the tracing exporter raises outside of its range, the other one silently writes 18 for
# anything older; what was written is compared with what was asked in any case.
ROUTES: Mapping[str, Route] = {
    "torchscript": Route(_torchscript, range(9, 24)),
    "dynamo": Route(_dynamo, range(18, 28)),
}


def _named_parameters(network: nn.Module) -> int:
    parameters = inspect.signature(network.forward).parameters.values()
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def reason(error: BaseException) -> str:
    """The first line of what really went wrong, without colours."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = _ANSI.sub("", str(error)).strip().splitlines() or [""]
    return f"{type(error).__name__}: {' '.join(lines[0].split())}"[:300].rstrip(": ")
