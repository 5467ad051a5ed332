"""Models of many tiny nodes: what a profiler costs shows in them and in little else."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from profiler.core.tensor import TensorSpec

# Additions of 1 to 8192 numbers take from under to over a microsecond, so that a clock which steps
# by one and rounds down is as often too early as any other would be.
SIZES = tuple(int(8192 ** (step / 15)) for step in range(16))
_FLOAT, _IR_VERSION, _OPSET = 1, 8, 17


def write_chain(path: Path, links: int) -> tuple[TensorSpec, ...]:
    """Write a model with so many additions one after the other for each size; return its inputs."""
    # Only a worker reads and writes models with onnx.
    import onnx
    from onnx import helper

    nodes, inputs, outputs = [], [], []
    for number, size in enumerate(SIZES):
        names = [f"x{number}", *(f"v{number}_{link}" for link in range(1, links)), f"y{number}"]
        nodes += [
            helper.make_node("Add", [before, names[0]], [after], name=f"add{after}")
            for before, after in pairwise(names)
        ]
        inputs.append(helper.make_tensor_value_info(names[0], _FLOAT, [1, size]))
        outputs.append(helper.make_tensor_value_info(names[-1], _FLOAT, [1, size]))
    graph = helper.make_graph(nodes, "chain", inputs, outputs)
    opsets = [helper.make_opsetid("", _OPSET)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION), path)
    return tuple(TensorSpec(f"x{n}", "float32", (1, size)) for n, size in enumerate(SIZES))
