"""Parameters and weight bytes: every distinct constant once, told apart by its content.

Two constants of the same type and shape are compared by a sample of their bytes, and only where
the samples agree by all of them, so that no weight is read that need not be.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import NamedTuple

from exporters.onnx_types import Graph, Node, Payload, Structure, Tensor
from profiler.cost.values import bits

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

_WITH_BODIES = frozenset({"If", "Loop", "Scan", "SequenceMap"})


class Weights(NamedTuple):
    """Parameters (elements of weights), and the bytes of every constant."""

    params: int
    bytes: int


def count_weights(path: Path, model: Structure) -> Weights:
    """Count the distinct constants of a model.

    Constants in external files are told apart by their place there, so that a missing file does
    no harm.
    """
    found = _Found(list(model.graph.initializers), set(), {})
    found.constants.extend(sparse.values for sparse in model.graph.sparse)
    _visit(model.graph.nodes, found)
    for function in model.functions:
        _visit(function.nodes, found)
    params = weight_bytes = 0
    for tensor in _distinct(path, found.constants):
        elements = prod(tensor.dims)
        weight_bytes += (elements * bits(tensor.dtype) + 7) // 8
        # A constant that is a weight of one node is one, whatever else reads it.
        if tensor.name in found.integers:
            params += elements * found.integers[tensor.name]
        elif tensor.dtype in _FLOATS and tensor.dims and tensor.name not in found.settings:
            params += elements
    return Weights(params, weight_bytes)


class _Found(NamedTuple):
    """Constants, names of settings, and integer weights with the parameters of one element."""

    constants: list[Tensor]
    settings: set[str]
    integers: dict[str, int]


def _visit(nodes: Iterable[Node], found: _Found) -> None:
    for node in nodes:
        op_type = node.op_type
        if op_type in _SETTINGS:
            for index in _SETTINGS[op_type]:
                found.settings.update(node.inputs[index : index + 1])
        if op_type in _INTEGER_WEIGHTS:
            packed = _packed(node)
            for index in _INTEGER_WEIGHTS[op_type]:
                found.integers.update(dict.fromkeys(node.inputs[index : index + 1], packed))
        if op_type == "Constant":
            value = node.attributes.get("value")
            if isinstance(value, Tensor):
                found.constants.append(value._replace(name=node.outputs[0]))
        elif op_type in _WITH_BODIES or node.domain:
            for graph in _bodies(node):
                found.constants.extend(graph.initializers)
                _visit(graph.nodes, found)


def _packed(node: Node) -> int:
    """The parameters in one element: weights of few bits are stored several a byte."""
    width = node.attributes.get("bits", 4 if node.op_type.startswith("MatMulB") else 8)
    return 8 // width if isinstance(width, int) and 0 < width <= 8 else 1


def _bodies(node: Node) -> Iterable[Graph]:
    for attribute in node.attributes.values():
        for item in attribute if type(attribute) is tuple else (attribute,):
            if isinstance(item, Graph):
                yield item


def _distinct(path: Path, constants: Iterable[Tensor]) -> Iterable[Tensor]:
    """Every constant that no other one equals.

    Of equal constants in different roles one that counts as a parameter is as good as the other.
    """
    groups: dict[tuple[int, tuple[int, ...]], list[Tensor]] = {}
    for tensor in constants:
        groups.setdefault((tensor.dtype, tensor.dims), []).append(tensor)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for group in groups.values():
            yield from group if len(group) == 1 else _unequal(descriptor, group)
    finally:
        os.close(descriptor)


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
