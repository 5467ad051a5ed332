"""The true channels of convolutions that ONNX Runtime saved in its blocked layout.

The runtime pads channels to whole blocks of 8 or 16 with zeros and stores the padded shape, so 24
channels may read as 32. The padding is found by its zeros in the last block of the weights, and the
shapes are corrected, so that a saved graph costs what its original costs.
Source: own study of files that onnxruntime 1.31 saved, November 2026.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporters.onnx_types import Node, Structure, Tensor

DOMAIN = "com.microsoft.nchwc"
_FLOAT, _FLOAT_BYTES = 1, 4
_BLOCKS = (16, 8)


def unpadded(path: Path, model: Structure) -> Structure:
    """A model whose blocked weights have their true shapes; other models are left as they are."""
    nodes = [n for n in model.graph.nodes if n.domain == DOMAIN and n.op_type == "Conv"]
    if not nodes:
        return model
    constants = {tensor.name: tensor for tensor in model.graph.initializers}
    with path.open("rb") as file:
        shapes = _shapes(file.fileno(), nodes, constants)
    initializers = tuple(
        tensor._replace(dims=shapes[tensor.name], raw=None, values=None)
        if tensor.name in shapes
        else tensor
        for tensor in model.graph.initializers
    )
    return model._replace(graph=model.graph._replace(initializers=initializers))


def _shapes(
    descriptor: int, nodes: Sequence[Node], constants: Mapping[str, Tensor]
) -> dict[str, tuple[int, ...]]:
    """The true shapes of weights and biases that are padded."""
    found: dict[str, tuple[int, int]] = {}
    doubtful: list[Node] = []
    for node in nodes:
        weight = constants.get(node.inputs[1])
        if weight is None or weight.dtype != _FLOAT or len(weight.dims) < 3:
            continue
        padding = _padding(descriptor, weight)
        if padding is None:
            doubtful.append(node)
        else:
            found[weight.name] = (weight.dims[0] - padding[0], weight.dims[1] - padding[1])
    _settle(nodes, doubtful, constants, found)
    shapes: dict[str, tuple[int, ...]] = {}
    for node in nodes:
        if node.inputs[1] in found:
            weight = constants[node.inputs[1]]
            shapes[weight.name] = (*found[weight.name], *weight.dims[2:])
            if len(node.inputs) > 2 and node.inputs[2] in constants:
                shapes[node.inputs[2]] = (found[weight.name][0],)
    return {name: shape for name, shape in shapes.items() if shape != constants[name].dims}


def _settle(
    nodes: Sequence[Node],
    doubtful: Sequence[Node],
    constants: Mapping[str, Tensor],
    found: dict[str, tuple[int, int]],
) -> None:
    """Weights that are all zero show no padding: ask who reads their output, or is added to it."""
    for _ in range(2):
        outputs = {n.outputs[0]: found[n.inputs[1]][0] for n in nodes if n.inputs[1] in found}
        wanted = {
            n.inputs[0]: found[n.inputs[1]][1]
            for n in nodes
            if n.inputs[1] in found and n.attributes.get("group", 1) == 1
        }
        for node in doubtful:
            weight = constants[node.inputs[1]]
            addend = outputs.get(node.inputs[3]) if len(node.inputs) > 3 else None
            channels = wanted.get(node.outputs[0], addend)
            if channels is not None and channels <= weight.dims[0]:
                found[weight.name] = (channels, weight.dims[1])


def _padding(descriptor: int, weight: Tensor) -> tuple[int, int] | None:
    """Output and input channels that are only padding; None where the weights do not tell."""
    channels, per_group, *kernel = weight.dims
    taps = prod(kernel)
    for block in _BLOCKS:
        if channels % block:
            continue
        last = _last_block(descriptor, weight, per_group * taps * block)
        if last is None or not last.any():
            return None
        outputs = _trailing_zeros(last.reshape(-1, block))
        inputs = 0
        if per_group % block == 0:
            # [blocks of inputs, taps, inputs of a block, outputs of a block]
            split = last.reshape(-1, taps, block, block)[-1]
            inputs = _trailing_zeros(np.moveaxis(split, 1, -1).reshape(-1, block))
        if 0 < outputs < block or 0 < inputs < block:
            return outputs % block, inputs % block
    return 0, 0


def _last_block(descriptor: int, weight: Tensor, elements: int) -> NDArray[np.float32] | None:
    count = elements * _FLOAT_BYTES
    if weight.raw is not None:
        data = weight.raw[-count:]
    elif weight.payload is not None and weight.payload.length == weight.size_bytes:
        end = weight.payload.offset + weight.payload.length
        data = os.pread(descriptor, count, end - count)
    else:
        return None
    return np.frombuffer(data, "<f4") if len(data) == count else None


def _trailing_zeros(rows: NDArray[np.float32]) -> int:
    """The last columns that hold nothing but zeros."""
    used = np.flatnonzero(rows.any(axis=0))
    return int(rows.shape[1]) - (int(used[-1]) + 1 if used.size else 0)
