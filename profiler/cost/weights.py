"""Parameters and weight bytes: every distinct constant once, told apart by its content.

Two constants of the same type and shape are compared by a sample of their bytes, and only where
the samples agree by all of them, so that no weight is read that need not be.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from exporters.onnx_types import Graph, Node, Payload, Structure, Tensor

_SAMPLE_BYTES = 64
_READ_BYTES = 2**20
_FLOATS = frozenset({1, 10, 11, 14, 15, 16, 17, 18, 19, 20, 23, 24, 27, 28})
# Inputs of operators that are no weights although they are constants: scales, limits, sizes.
_SETTINGS = {
    "Resize": (1, 2, 3), "Upsample": (1,), "Clip": (1, 2), "Pad": (1, 2, 3), "Pow": (1,),
    "QuantizeLinear": (1, 2), "DequantizeLinear": (1, 2), "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7), "ConvInteger": (2, 3), "MatMulInteger": (2, 3),
    "QGemm": (1, 2, 4, 5, 7, 8), "QLinearAdd": (1, 2, 4, 5, 6, 7),
    "QLinearMul": (1, 2, 4, 5, 6, 7), "QAttention": (3, 4, 6, 7), "DynamicQuantizeMatMul": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5), "OneHot": (1, 2), "Range": (0, 1, 2), "Dropout": (1, 2),
    "Where": (0,),
}  # fmt: skip
# Inputs of operators that hold weights although they are integers.
_INTEGER_WEIGHTS = {
    "DequantizeLinear": (0,), "QLinearConv": (3, 8), "QLinearMatMul": (0, 3), "ConvInteger": (1,),
    "MatMulInteger": (0, 1), "QGemm": (3, 6), "QAttention": (1,), "DynamicQuantizeMatMul": (1,),
    "MatMulIntegerToFloat": (1,), "MatMulNBits": (1,), "MatMulBnb4": (1,),
    "DynamicQuantizeLSTM": (1, 2),
}  # fmt: skip


class Weights(NamedTuple):
    """Parameters (elements of weights), and the bytes of every constant."""

    params: int
    bytes: int


def count_weights(path: Path, model: Structure) -> Weights:
    """Count the distinct constants of a model.

    Constants in external files are told apart by their place there, so that a missing file does
    no harm.
    """
    nodes = list(_all_nodes(model))
    constants = [*_constants(model.graph), *_constant_nodes(nodes)]
    settings, integers = _roles(nodes)
    params = weight_bytes = 0
    for tensor in _distinct(path, constants):
        weight_bytes += tensor.size_bytes
        if tensor.name in settings:
            continue
        if tensor.name in integers:
            params += tensor.elements * integers[tensor.name]
        elif tensor.dtype in _FLOATS and tensor.dims:
            params += tensor.elements
    return Weights(params, weight_bytes)


def _roles(nodes: Iterable[Node]) -> tuple[set[str], dict[str, int]]:
    """Names of settings, and of integer weights with the parameters that one element packs."""
    settings: set[str] = set()
    integers: dict[str, int] = {}
    for node in nodes:
        for index in _SETTINGS.get(node.op_type, ()):
            settings.update(node.inputs[index : index + 1])
        for index in _INTEGER_WEIGHTS.get(node.op_type, ()):
            bits = node.attributes.get("bits", 4 if node.op_type.startswith("MatMulB") else 8)
            packed = 8 // bits if isinstance(bits, int) and 0 < bits <= 8 else 1
            integers.update(dict.fromkeys(node.inputs[index : index + 1], packed))
    # A constant that is a weight of one node is one, whatever else reads it.
    return settings - set(integers), integers


def _all_nodes(model: Structure) -> Iterable[Node]:
    yield from _nodes(model.graph.nodes)
    for function in model.functions:
        yield from _nodes(function.nodes)


def _nodes(nodes: Iterable[Node]) -> Iterable[Node]:
    for node in nodes:
        yield node
        for graph in _bodies(node):
            yield from _nodes(graph.nodes)


def _bodies(node: Node) -> Iterable[Graph]:
    for attribute in node.attributes.values():
        for item in attribute if type(attribute) is tuple else (attribute,):
            if isinstance(item, Graph):
                yield item


def _constants(graph: Graph) -> Iterable[Tensor]:
    yield from graph.initializers
    for sparse in graph.sparse:
        yield sparse.values
    for node in graph.nodes:
        for body in _bodies(node):
            yield from _constants(body)


def _constant_nodes(nodes: Iterable[Node]) -> Iterable[Tensor]:
    for node in nodes:
        value = node.attributes.get("value") if node.op_type == "Constant" else None
        if isinstance(value, Tensor):
            yield value._replace(name=node.outputs[0])


def _distinct(path: Path, constants: Iterable[Tensor]) -> Iterable[Tensor]:
    """Every constant that no other one equals.

    Of equal constants in different roles one that counts as a parameter is as good as the other.
    """
    groups: dict[tuple[int, tuple[int, ...]], list[Tensor]] = {}
    for tensor in constants:
        groups.setdefault((tensor.dtype, tensor.dims), []).append(tensor)
    with path.open("rb") as file:
        for group in groups.values():
            yield from group if len(group) == 1 else _unequal(file.fileno(), group)


def _unequal(descriptor: int, group: list[Tensor]) -> Iterable[Tensor]:
    samples: dict[object, list[Tensor]] = {}
    for tensor in group:
        samples.setdefault(_sample(descriptor, tensor), []).append(tensor)
    for alike in samples.values():
        seen = set()
        for tensor in alike:
            if len(alike) == 1 or tensor.payload is None:
                yield tensor
                break
            digest = _digest(descriptor, tensor.payload)
            if digest not in seen:
                seen.add(digest)
                yield tensor


def _sample(descriptor: int, tensor: Tensor) -> object:
    if tensor.external is not None:
        return tensor.external
    if tensor.payload is None:
        return tensor.raw if tensor.raw is not None else tensor.values
    middle = tensor.payload.offset + max(tensor.payload.length // 2 - _SAMPLE_BYTES, 0)
    return tensor.payload.field, os.pread(descriptor, _SAMPLE_BYTES, middle)


def _digest(descriptor: int, payload: Payload) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    start, end = payload.offset, payload.offset + payload.length
    while start < end:
        part = os.pread(descriptor, min(end - start, _READ_BYTES), start)
        if not part:
            break
        digest.update(part)
        start += len(part)
    return digest.digest()
