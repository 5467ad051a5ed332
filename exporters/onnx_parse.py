"""From the bytes of a model without weights to its structure.

Source: field numbers of onnx.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from exporters.onnx_types import (
    Attribute,
    Dim,
    Function,
    Graph,
    Node,
    Payload,
    Reference,
    SparseTensor,
    Structure,
    Tensor,
    TypeInfo,
    ValueInfo,
)
from exporters.onnx_wire import (
    BYTES,
    DEPTH_LIMIT,
    FIXED32,
    FIXED64,
    VARINT,
    WireError,
    fields,
    signed,
    varint,
)

# Attribute blocks up to this size are compared with those seen before instead of read again.
_CACHED_BYTES = 512
_EXTERNAL = 1


class Parser:
    """Reads the messages of one model; equal attribute blocks are read once."""

    def __init__(self, data: bytes, payloads: Mapping[int, Payload]) -> None:
        self._data = data
        self._payloads = payloads
        self._attributes: dict[bytes, Mapping[str, Attribute]] = {b"": {}}
        self._depth = 0

    def model(self) -> Structure:
        """Read the whole model.

        Raises: WireError, IndexError, struct.error or UnicodeDecodeError when it is malformed.
        """
        ir_version, producer = 0, ""
        opsets: list[tuple[str, int]] = []
        graph: Graph | None = None
        functions: list[Function] = []
        training: list[Graph] = []
        metadata: list[tuple[str, str]] = []
        for number, wire, start, end in fields(self._data, 0, len(self._data)):
            if number == 1 and wire == VARINT:
                ir_version = signed(start)
            elif wire != BYTES:
                continue
            elif number == 2:
                producer = self._text(start, end)
            elif number == 7:
                if graph is not None:
                    raise WireError("two graphs")
                graph = self._graph(start, end)
            elif number == 8:
                opsets.append(self._opset(start, end))
            elif number == 14:
                metadata.append(self._pair(start, end))
            elif number == 20:
                training += self._training(start, end)
            elif number == 25:
                functions.append(self._function(start, end))
        if graph is None:
            raise WireError("no graph")
        return Structure(
            ir_version, tuple(opsets), producer, graph, tuple(functions), tuple(training),
            tuple(metadata), self._data,
        )  # fmt: skip

    def _graph(self, start: int, end: int) -> Graph:
        self._descend()
        name = ""
        nodes: list[Node] = []
        initializers: list[Tensor] = []
        sparse: list[SparseTensor] = []
        inputs: list[ValueInfo] = []
        outputs: list[ValueInfo] = []
        value_info: list[tuple[int, int]] = []
        for number, wire, begin, stop in fields(self._data, start, end):
            if wire != BYTES:
                continue
            if number == 1:
                nodes.append(self._node(begin, stop))
            elif number == 5:
                initializers.append(self._tensor(begin, stop))
            elif number == 13:
                value_info.append((begin, stop))
            elif number == 11:
                inputs.append(value(self._data, begin, stop))
            elif number == 12:
                outputs.append(value(self._data, begin, stop))
            elif number == 2:
                name = self._text(begin, stop)
            elif number == 15:
                sparse.append(self._sparse(begin, stop))
        self._depth -= 1
        return Graph(
            name, tuple(nodes), tuple(initializers), tuple(sparse), tuple(inputs), tuple(outputs),
            tuple(value_info),
        )  # fmt: skip

    def _descend(self) -> None:
        # A graph in a graph is three messages deeper: node, attribute, graph.
        self._depth += 1
        if self._depth * 3 > DEPTH_LIMIT:
            raise WireError(f"more than {DEPTH_LIMIT} messages inside each other")

    def _node(self, start: int, end: int) -> Node:  # noqa: C901, PLR0912 - one branch a field
        # Written out rather than with fields(): this loop is most of the time of a small model.
        data = self._data
        inputs: list[str] = []
        outputs: list[str] = []
        blocks: list[tuple[int, int]] = []
        metadata: list[tuple[int, int]] = []
        name = op_type = domain = overload = ""
        position = start
        while position < end:
            tag = data[position]
            if tag > 0x7F or tag & 7 != BYTES:
                position = _skip(data, position, end)
                continue
            begin = position + 2
            length = data[position + 1]
            if length > 0x7F:
                length, begin = varint(data, position + 1)
            stop = begin + length
            if stop > end:
                raise WireError("a field that is longer than its message")
            if tag == 0x0A:
                inputs.append(str(data[begin:stop], "utf-8"))
            elif tag == 0x2A:
                if blocks and blocks[-1][1] == position:
                    blocks[-1] = (blocks[-1][0], stop)
                else:
                    blocks.append((position, stop))
            elif tag == 0x4A:
                metadata.append((begin, stop))
            elif tag == 0x12:
                outputs.append(str(data[begin:stop], "utf-8"))
            elif tag == 0x22:
                op_type = str(data[begin:stop], "utf-8")
            elif tag == 0x1A:
                name = str(data[begin:stop], "utf-8")
            elif tag == 0x3A:
                domain = str(data[begin:stop], "utf-8")
            elif tag == 0x42:
                overload = str(data[begin:stop], "utf-8")
            position = stop
        if position != end:
            raise WireError("a field that is longer than its message")
        key, attributes = self._attribute_block(blocks)
        if domain == "ai.onnx":
            domain = ""
        return Node(
            op_type, domain, overload, name, tuple(inputs), tuple(outputs), attributes, key,
            tuple(metadata),
        )  # fmt: skip

    def _attribute_block(
        self, blocks: list[tuple[int, int]]
    ) -> tuple[bytes, Mapping[str, Attribute]]:
        key = b"".join([self._data[start:end] for start, end in blocks])
        known = self._attributes.get(key)
        if known is not None:
            return key, known
        read = {}
        for start, end in blocks:
            for _, _, begin, stop in fields(self._data, start, end):
                name, attribute = self._attribute(begin, stop)
                read[name] = attribute
        if len(key) <= _CACHED_BYTES:
            self._attributes[key] = read
        return key, read

    def _attribute(self, start: int, end: int) -> tuple[str, Attribute]:
        name = reference = ""
        kind = None
        found: dict[int, list[Any]] = {}
        for number, wire, begin, stop in fields(self._data, start, end):
            if number == 1 and wire == BYTES:
                name = self._text(begin, stop)
            elif number == 21 and wire == BYTES:
                reference = self._text(begin, stop)
            elif number == 20 and wire == VARINT:
                kind = begin
            elif number in _ATTRIBUTE_FIELDS:
                found.setdefault(number, []).extend(
                    _ATTRIBUTE_FIELDS[number](self, wire, begin, stop)
                )
        if reference:
            return name, Reference(reference)
        number = _KIND_FIELDS.get(kind, 0) if kind else next(iter(found), 0)
        items = found.get(number, [])
        if number in _SINGLE_FIELDS:
            return name, items[-1] if items else _SINGLE_FIELDS[number]
        return name, tuple(items)

    def _integers(self, wire: int, start: int, end: int) -> list[int]:
        if wire == VARINT:
            return [signed(start)]
        numbers = []
        while start < end:
            number, start = varint(self._data, start)
            numbers.append(signed(number))
        return numbers

    def _floats(self, wire: int, start: int, end: int) -> list[float]:
        return list(self._packed("f", 4, wire, start, end))

    def _packed(self, code: str, size: int, wire: int, start: int, end: int) -> tuple[float, ...]:
        if wire not in (BYTES, FIXED32 if size == 4 else FIXED64):
            raise WireError(f"wire type {wire} for a float")
        if (end - start) % size:
            raise WireError("floats cut in the middle")
        return struct.unpack_from(f"<{(end - start) // size}{code}", self._data, start)

    def _strings(self, wire: int, start: int, end: int) -> list[str]:
        return [str(self._data[start:end], "utf-8", "replace")] if wire == BYTES else []

    def _tensors(self, wire: int, start: int, end: int) -> list[Tensor]:
        return [self._tensor(start, end)] if wire == BYTES else []

    def _graphs(self, wire: int, start: int, end: int) -> list[Graph]:
        return [self._graph(start, end)] if wire == BYTES else []

    def _sparses(self, wire: int, start: int, end: int) -> list[SparseTensor]:
        return [self._sparse(start, end)] if wire == BYTES else []

    def _types(self, wire: int, start: int, end: int) -> list[TypeInfo | None]:
        return [type_info(self._data, start, end)] if wire == BYTES else []

    def _tensor(self, start: int, end: int) -> Tensor:
        dims: list[int] = []
        name, dtype, location = "", 0, 0
        raw: bytes | None = None
        payload: Payload | None = None
        numbers: list[int | float | bytes] = []
        external: list[tuple[str, str]] = []
        for number, wire, begin, stop in fields(self._data, start, end):
            if number == 1:
                dims += self._integers(wire, begin, stop)
            elif number == 2 and wire == VARINT:
                dtype = begin
            elif number == 8 and wire == BYTES:
                name = self._text(begin, stop)
            elif number in (4, 5, 6, 7, 9, 10, 11):
                if begin == stop and wire == BYTES and begin in self._payloads:
                    payload = self._payloads[begin]
                elif number == 9:
                    raw = self._data[begin:stop]
                else:
                    numbers += self._numbers(number, wire, begin, stop)
            elif number == 13 and wire == BYTES:
                external.append(self._pair(begin, stop))
            elif number == 14 and wire == VARINT:
                location = begin
        outside = tuple(external) if external or location == _EXTERNAL else None
        values = tuple(numbers) if numbers else None
        return Tensor(name, dtype, tuple(dims), raw, values, outside, payload)

    def _numbers(self, number: int, wire: int, start: int, end: int) -> list[int | float | bytes]:
        if number == 4:
            return list(self._packed("f", 4, wire, start, end))
        if number == 10:
            return list(self._packed("d", 8, wire, start, end))
        if number == 6:
            return [self._data[start:end]]
        return list(self._integers(wire, start, end))

    def _sparse(self, start: int, end: int) -> SparseTensor:
        values: Tensor | None = None
        indices: Tensor | None = None
        dims: list[int] = []
        for number, wire, begin, stop in fields(self._data, start, end):
            if number == 3:
                dims += self._integers(wire, begin, stop)
            elif number == 1 and wire == BYTES:
                values = self._tensor(begin, stop)
            elif number == 2 and wire == BYTES:
                indices = self._tensor(begin, stop)
        if values is None:
            raise WireError("a sparse constant without values")
        return SparseTensor(values, indices, tuple(dims))

    def _function(self, start: int, end: int) -> Function:
        texts: dict[int, str] = {}
        inputs: list[str] = []
        outputs: list[str] = []
        defaults: dict[str, Attribute] = {}
        nodes: list[Node] = []
        opsets: list[tuple[str, int]] = []
        for number, wire, begin, stop in fields(self._data, start, end):
            if wire != BYTES:
                continue
            if number in (1, 10, 13):
                texts[number] = self._text(begin, stop)
            elif number == 4:
                inputs.append(self._text(begin, stop))
            elif number == 5:
                outputs.append(self._text(begin, stop))
            elif number == 7:
                nodes.append(self._node(begin, stop))
            elif number == 9:
                opsets.append(self._opset(begin, stop))
            elif number == 11:
                name, attribute = self._attribute(begin, stop)
                defaults[name] = attribute
        return Function(
            texts.get(10, ""), texts.get(1, ""), texts.get(13, ""), tuple(inputs), tuple(outputs),
            defaults, tuple(nodes), tuple(opsets),
        )  # fmt: skip

    def _training(self, start: int, end: int) -> list[Graph]:
        return [
            self._graph(begin, stop)
            for number, wire, begin, stop in fields(self._data, start, end)
            if number in (1, 2) and wire == BYTES
        ]

    def _opset(self, start: int, end: int) -> tuple[str, int]:
        domain, version = "", 0
        for number, wire, begin, stop in fields(self._data, start, end):
            if number == 1 and wire == BYTES:
                domain = self._text(begin, stop)
            elif number == 2 and wire == VARINT:
                version = signed(begin)
        return "" if domain == "ai.onnx" else domain, version

    def _pair(self, start: int, end: int) -> tuple[str, str]:
        return pair(self._data, start, end)

    def _text(self, start: int, end: int) -> str:
        return str(self._data[start:end], "utf-8")


def pair(data: bytes, start: int, end: int) -> tuple[str, str]:
    """Read a StringStringEntryProto."""
    key = text = ""
    for number, wire, begin, stop in fields(data, start, end):
        if wire == BYTES and number == 1:
            key = str(data[begin:stop], "utf-8")
        elif wire == BYTES and number == 2:
            text = str(data[begin:stop], "utf-8")
    return key, text


def value(data: bytes, start: int, end: int) -> ValueInfo:
    """Read a ValueInfoProto."""
    name, found = "", None
    for number, wire, begin, stop in fields(data, start, end):
        if wire == BYTES and number == 1:
            name = str(data[begin:stop], "utf-8")
        elif wire == BYTES and number == 2:
            found = type_info(data, begin, stop)
    return ValueInfo(name, found)


_TYPE_KINDS = {1: "tensor", 4: "sequence", 5: "map", 7: "opaque", 8: "sparse", 9: "optional"}


def type_info(data: bytes, start: int, end: int, depth: int = 1) -> TypeInfo | None:
    """Read a TypeProto; None when it names no type.

    Raises: WireError when types are nested too deeply.
    """
    if depth > DEPTH_LIMIT:
        raise WireError(f"more than {DEPTH_LIMIT} messages inside each other")
    found = None
    for number, wire, begin, stop in fields(data, start, end):
        kind = _TYPE_KINDS.get(number)
        if wire != BYTES or kind is None:
            continue
        if kind in ("tensor", "sparse"):
            found = _tensor_type(data, kind, begin, stop)
        elif kind in ("sequence", "optional"):
            element = None
            for inner, _, first, last in fields(data, begin, stop):
                if inner == 1:
                    element = type_info(data, first, last, depth + 2)
            found = TypeInfo(kind, element.dtype if element else 0, None, element)
        else:
            found = TypeInfo(kind, 0, None)
    return found


def _tensor_type(data: bytes, kind: str, start: int, end: int) -> TypeInfo:
    dtype = 0
    shape: list[Dim] | None = None
    for number, wire, begin, stop in fields(data, start, end):
        if number == 1 and wire == VARINT:
            dtype = begin
        elif number == 2 and wire == BYTES:
            shape = [
                _dimension(data, first, last)
                for inner, kind_of, first, last in fields(data, begin, stop)
                if inner == 1 and kind_of == BYTES
            ]
    return TypeInfo(kind, dtype, None if shape is None else tuple(shape))


def _dimension(data: bytes, start: int, end: int) -> Dim:
    for number, wire, begin, stop in fields(data, start, end):
        if number == 1 and wire == VARINT:
            return signed(begin)
        if number == 2 and wire == BYTES:
            return str(data[begin:stop], "utf-8") or None
    return None


def _skip(data: bytes, position: int, end: int) -> int:
    tag, behind = varint(data, position)
    if tag & 7 == VARINT:
        return varint(data, behind)[1]
    if tag & 7 == BYTES:
        length, behind = varint(data, behind)
        if behind + length > end:
            raise WireError("a field that is longer than its message")
        return behind + length
    if tag & 7 in (FIXED32, FIXED64):
        return behind + (4 if tag & 7 == FIXED32 else 8)
    raise WireError(f"wire type {tag & 7}")


_ATTRIBUTE_FIELDS: Mapping[int, Callable[[Parser, int, int, int], list[Any]]] = {
    2: Parser._floats, 3: Parser._integers, 4: Parser._strings, 5: Parser._tensors,
    6: Parser._graphs, 7: Parser._floats, 8: Parser._integers, 9: Parser._strings,
    10: Parser._tensors, 11: Parser._graphs, 14: Parser._types, 15: Parser._types,
    22: Parser._sparses, 23: Parser._sparses,
}  # fmt: skip
# AttributeProto.type to the field that holds the value.
_KIND_FIELDS: Mapping[int | None, int] = {
    1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8, 8: 9, 9: 10, 10: 11, 11: 22, 12: 23, 13: 14, 14: 15,
}  # fmt: skip
_SINGLE_FIELDS: Mapping[int, Any] = {2: 0.0, 3: 0, 4: "", 5: (), 6: (), 14: (), 22: ()}
