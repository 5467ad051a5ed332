"""An ONNX model whose weights are constants, written with random weights of sensible size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

_SEED = 0
# Of BatchNormalization: scale, bias, mean, variance.
_SCALE, _BIAS, _MEAN, _VARIANCE = 1, 2, 3, 4


def write(source: Path, destination: Path) -> None:
    """Replace every `ConstantOfShape` that is a weight by an initializer drawn from one seed.

    Products keep the variance of what they are given (He et al. 2015, equation 10), scales are
    near 1 and shifts small, so that no layer is flat and none overflows.
    """
    model = onnx.load(source)
    graph, rng = model.graph, np.random.default_rng(_SEED)
    shapes = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    roles = {
        name: (node.op_type, place)
        for node in reversed(graph.node)
        for place, name in enumerate(node.input)
    }
    made = [n for n in graph.node if n.op_type == "ConstantOfShape" and n.input[0] in shapes]
    for node in made:
        shape = tuple(int(size) for size in shapes[node.input[0]])
        value = _draw(rng, shape, *roles.get(node.output[0], ("", 0)))
        graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for tensor in [t for t in graph.initializer if t.name not in used]:
        graph.initializer.remove(tensor)
    for value in [v for v in graph.input if v.name not in used or v.name in shapes]:
        graph.input.remove(value)
    model.ir_version = max(model.ir_version, 4)  # since then an initializer is no input
    onnx.save(model, destination)


def _draw(
    rng: np.random.Generator, shape: tuple[int, ...], operator: str, place: int
) -> NDArray[np.float32]:
    normal = rng.standard_normal(shape)
    if operator in ("Conv", "Gemm") and place == 1:
        normal *= np.sqrt(2.0 / np.prod(shape[1:]))
    elif operator == "BatchNormalization" and place in (_SCALE, _VARIANCE):
        normal = 1.0 + 0.2 * np.tanh(normal)
    else:
        normal *= 0.1
    return normal.astype(np.float32)
