"""Values inside an ONNX graph made outputs, so that a runtime shows them; run in a worker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import onnx


@dataclass(frozen=True, slots=True)
class Step:
    """A node and the values that it takes and makes, by name; constants are left out."""

    kind: str
    name: str
    takes: tuple[str, ...]
    makes: tuple[str, ...]


def steps(model: onnx.ModelProto) -> list[Step]:
    """The nodes in the order that they run in."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [
        Step(
            node.op_type,
            node.name,
            tuple(name for name in node.input if name and name not in constants),
            tuple(name for name in node.output if name),
        )
        for node in model.graph.node
    ]


def show(model: onnx.ModelProto, names: Iterable[str], destination: Path) -> None:
    """Write a copy whose outputs are also these values; a runtime infers their types."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    there = {value.name for value in copy.graph.output}
    copy.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in there
    )
    onnx.save(copy, destination)
