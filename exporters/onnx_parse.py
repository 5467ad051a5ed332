"""From the bytes of a model to its structure, without the weights.

Source: field numbers of onnx.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from exporters.onnx_types import (
    Attribute,
    Dim,
    Function,
    Graph,
    Node,
    Payload,
    Reference,
    Span,
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
    KEPT_BYTES,
    VARINT,
    File,
    Skeletons,
    WireError,
    fields,
    signed,
    varint,
)

# Attributes up to this size are compared with those seen before instead of read again.
_CACHED_BYTES = 512
_EXTERNAL = 1


class _Parts:
    """A graph whose fields are being read."""

    def __init__(self) -> None:
        self.name = ""
        self.nodes: list[Node] = []
        self.initializers: list[Tensor] = []
        self.sparse: list[SparseTensor] = []
        self.inputs: list[ValueInfo] = []
        self.outputs: list[ValueInfo] = []
        self.value_info: list[Span] = []

    def graph(self) -> Graph:
        """The graph that was read."""
        return Graph(
            self.name, tuple(self.nodes), tuple(self.initializers), tuple(self.sparse),
            tuple(self.inputs), tuple(self.outputs), tuple(self.value_info),
        )  # fmt: skip


class Parser:
    """Reads the messages of one model; equal attributes, and equal lists of them, are read once."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._skeletons = Skeletons(file)
        self._payloads: Mapping[int, Payload] = {}
        self._blocks: dict[bytes, tuple[bytes, Mapping[str, Attribute]]] = {b"": (b"", {})}
        self._attributes: dict[bytes, tuple[str, Attribute]] = {}
        self._depth = 0
        self._found: list[Tensor] = []

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
        for number, wire, start, end in self._top(0, self._file.size):
            if number == 7 and wire == BYTES:
                if graph is not None:
                    raise WireError("two graphs")
                graph = self._main(start, end)
                continue
            data, begin, stop = self._message(_MODEL_KINDS.get(number, ""), start, end)
            if number == 1 and wire == VARINT:
                ir_version = signed(varint(data, begin)[0])
            elif wire != BYTES:
                continue
            elif number == 2:
                producer = data[begin:stop].decode()
            elif number == 8:
                opsets.append(_opset(data, begin, stop))
            elif number == 14:
                metadata.append(pair(data, begin, stop))
            elif number == 20:
                training += self._training(data, begin, stop)
            elif number == 25:
                functions.append(self._function(data, begin, stop))
        if graph is None:
            raise WireError("no graph")
        return Structure(
            ir_version, tuple(opsets), producer, graph, tuple(functions), tuple(training),
            tuple(metadata), tuple(self._found),
        )  # fmt: skip

    def _top(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Walk the fields of a message that may be as large as the file."""
        head = self._file.head
        while start < end:
            tag, begin, start = head(start)
            if start > end:
                raise WireError("a field that is longer than its message")
            yield tag >> 3, tag & 7, begin, start

    def _message(self, kind: str, start: int, end: int) -> tuple[bytes, int, int]:
        """The bytes of a message, without its weights where it is large and may hold some."""
        if end - start <= KEPT_BYTES or not kind:
            self._payloads = {}
            data, begin = self._file.span(start, end)
            return data, begin, begin + end - start
        data, self._payloads = self._skeletons.copy(kind, start, end)
        return data, 0, len(data)

    def _main(self, start: int, end: int) -> Graph:
        parts = _Parts()
        self._descend()
        head, span, nodes = self._file.head, self._file.span, parts.nodes
        while start < end:
            tag, begin, stop = head(start)
            if tag == _VALUE_INFO:
                # Hundreds of them follow each other, and few are ever asked for.
                stop = self._file.skip(stop, _VALUE_INFO)
            if stop > end:
                raise WireError("a field that is longer than its message")
            if tag == _NODE and stop - begin <= KEPT_BYTES:
                self._payloads = {}
                data, at = span(begin, stop)
                nodes.append(self._node(data, at, at + stop - begin))
            elif tag == _TENSOR:
                parts.initializers.append(self._initializer(begin, stop))
            elif tag == _VALUE_INFO:
                parts.value_info.append(Span(self._file.read(start, stop), 0, stop - start))
            elif tag & 7 == BYTES:
                number = tag >> 3
                data, at, last = self._message(_GRAPH_KINDS.get(number, ""), begin, stop)
                self._add(parts, number, data, at, last)
            start = stop
        self._depth -= 1
        return parts.graph()

    def _initializer(self, start: int, end: int) -> Tensor:
        """Read a tensor, whose data stays in the file where it is large."""
        found = self._plain_tensor(start, end)
        if found is None:
            found = self._tensor(*self._message("tensor", start, end))
        self._found.append(found)
        return found

    def _plain_tensor(self, start: int, end: int) -> Tensor | None:
        """Read a tensor as exporters write it: sizes, type, name, bytes; None for any other."""
        data, at = self._file.span(start, min(end, start + _TENSOR_HEAD_BYTES))
        last = at + min(end - start, _TENSOR_HEAD_BYTES)
        base = start - at
        dims: list[int] = []
        name, dtype = "", 0
        while at < last:
            tag = data[at]
            if tag == 0x08:
                dim, at = varint(data, at + 1)
                dims.append(signed(dim))
            elif tag == 0x10:
                dtype, at = varint(data, at + 1)
            elif tag == 0x42 and data[at + 1] < 0x80:
                begin = at + 2
                at = begin + data[at + 1]
                name = data[begin:at].decode()
            elif tag == 0x4A:
                length, begin = varint(data, at + 1)
                if base + begin + length != end:
                    return None
                if length > KEPT_BYTES:
                    place = Payload(base + begin, length, 9)
                    return Tensor(name, dtype, tuple(dims), None, None, None, place)
                data, at = self._file.span(base + begin, end)
                raw = data[at : at + length]
                return Tensor(name, dtype, tuple(dims), raw, None, None, None)
            else:
                return None
        return None

    def _graph(self, data: bytes, start: int, end: int) -> Graph:
        parts = _Parts()
        parts.value_info.append(Span(data, start, end))
        self._descend()
        for number, wire, begin, stop in fields(data, start, end):
            if wire == BYTES:
                self._add(parts, number, data, begin, stop)
        self._depth -= 1
        return parts.graph()

    def _add(self, parts: _Parts, number: int, data: bytes, start: int, end: int) -> None:
        if number == 1:
            parts.nodes.append(self._node(data, start, end))
        elif number == 5:
            parts.initializers.append(self._kept(data, start, end))
        elif number == 11:
            parts.inputs.append(value(data, start, end))
        elif number == 12:
            parts.outputs.append(value(data, start, end))
        elif number == 2:
            parts.name = data[start:end].decode()
        elif number == 15:
            parts.sparse.append(self._sparse(data, start, end))

    def _descend(self) -> None:
        # A graph in a graph is three messages deeper: node, attribute, graph.
        self._depth += 1
        if self._depth * 3 > DEPTH_LIMIT:
            raise WireError(f"more than {DEPTH_LIMIT} messages inside each other")

    def _node(  # noqa: C901, PLR0912 - one branch a field
        self, data: bytes, start: int, end: int
    ) -> Node:
        # Written out rather than with fields(): this loop is most of the time of a small model.
        inputs: list[str] = []
        outputs: list[str] = []
        blocks: list[tuple[int, int]] = []
        metadata: tuple[bytes, int, int] | None = None
        name = op_type = domain = overload = ""
        position = start
        while position < end:
            tag = data[position]
            if tag > 0x7F or tag & 7 != BYTES:
                position = _skip(data, position, end)
                continue
            length = data[position + 1]
            begin = position + 2
            if length > 0x7F:
                if data[begin] > 0x7F:
                    length, begin = varint(data, position + 1)
                else:
                    length += (data[begin] - 1) << 7
                    begin += 1
            stop = begin + length
            if stop > end:
                raise WireError("a field that is longer than its message")
            if tag == 0x0A:
                inputs.append(data[begin:stop].decode())
            elif tag == 0x2A:
                if blocks and blocks[-1][1] == position:
                    blocks[-1] = (blocks[-1][0], stop)
                else:
                    blocks.append((position, stop))
            elif tag == 0x4A:
                metadata = (data, metadata[1] if metadata else position, end)
                stop = _behind_metadata(data, stop, end)
            elif tag == 0x12:
                outputs.append(data[begin:stop].decode())
            elif tag == 0x22:
                op_type = data[begin:stop].decode()
            elif tag == 0x1A:
                name = data[begin:stop].decode()
            elif tag == 0x3A:
                domain = data[begin:stop].decode()
            elif tag == 0x42:
                overload = data[begin:stop].decode()
            position = stop
        if position != end:
            raise WireError("a field that is longer than its message")
        key, attributes = self._attribute_block(data, blocks)
        if domain == "ai.onnx":
            domain = ""
        return Node(
            op_type, domain, overload, name, tuple(inputs), tuple(outputs), attributes, key,
            metadata,
        )  # fmt: skip

    def _attribute_block(
        self, data: bytes, blocks: list[tuple[int, int]]
    ) -> tuple[bytes, Mapping[str, Attribute]]:
        if len(blocks) == 1:
            key = data[blocks[0][0] : blocks[0][1]]
        else:
            key = b"".join([data[start:end] for start, end in blocks])
        known = self._blocks.get(key)
        if known is not None:
            return known
        read = {}
        for start, end in blocks:
            for _, _, begin, stop in fields(data, start, end):
                name, attribute = self._seen_attribute(data, begin, stop)
                read[name] = attribute
        if len(key) <= _CACHED_BYTES:
            # The key goes along, so that nodes share one object, whose hash is taken once.
            self._blocks[key] = (key, read)
        return key, read

    def _seen_attribute(self, data: bytes, start: int, end: int) -> tuple[str, Attribute]:
        if end - start > _CACHED_BYTES:
            return self._attribute(data, start, end)
        key = data[start:end]
        if (known := self._attributes.get(key)) is None:
            known = self._attributes[key] = self._attribute(data, start, end)
        return known

    def _attribute(self, data: bytes, start: int, end: int) -> tuple[str, Attribute]:
        name = reference = ""
        kind = None
        found: dict[int, list[Any]] = {}
        for number, wire, begin, stop in fields(data, start, end):
            if number == 1 and wire == BYTES:
                name = data[begin:stop].decode()
            elif number == 21 and wire == BYTES:
                reference = data[begin:stop].decode()
            elif number == 20 and wire == VARINT:
                kind = begin
            elif number in _ATTRIBUTE_FIELDS:
                found.setdefault(number, []).extend(
                    _ATTRIBUTE_FIELDS[number](self, data, wire, begin, stop)
                )
        if reference:
            return name, Reference(reference)
        number = _KIND_FIELDS.get(kind, 0) if kind else next(iter(found), 0)
        items = found.get(number, [])
        if number in _SINGLE_FIELDS:
            return name, items[-1] if items else _SINGLE_FIELDS[number]
        return name, tuple(items)

    def _integers(self, data: bytes, wire: int, start: int, end: int) -> list[int]:
        if wire == VARINT:
            return [signed(start)]
        numbers = []
        while start < end:
            number, start = varint(data, start)
            numbers.append(signed(number))
        return numbers

    def _floats(self, data: bytes, wire: int, start: int, end: int) -> list[float]:
        return list(self._packed(data, "f", 4, wire, start, end))

    def _packed(
        self, data: bytes, code: str, size: int, wire: int, start: int, end: int
    ) -> tuple[float, ...]:
        if wire not in (BYTES, FIXED32 if size == 4 else FIXED64):
            raise WireError(f"wire type {wire} for a float")
        if (end - start) % size:
            raise WireError("floats cut in the middle")
        return struct.unpack_from(f"<{(end - start) // size}{code}", data, start)

    def _strings(self, data: bytes, wire: int, start: int, end: int) -> list[str]:
        return [str(data[start:end], "utf-8", "replace")] if wire == BYTES else []

    def _tensors(self, data: bytes, wire: int, start: int, end: int) -> list[Tensor]:
        return [self._kept(data, start, end)] if wire == BYTES else []

    def _graphs(self, data: bytes, wire: int, start: int, end: int) -> list[Graph]:
        return [self._graph(data, start, end)] if wire == BYTES else []

    def _sparses(self, data: bytes, wire: int, start: int, end: int) -> list[SparseTensor]:
        return [self._sparse(data, start, end)] if wire == BYTES else []

    def _types(self, data: bytes, wire: int, start: int, end: int) -> list[TypeInfo | None]:
        return [type_info(data, start, end)] if wire == BYTES else []

    def _kept(self, data: bytes, start: int, end: int) -> Tensor:
        found = self._tensor(data, start, end)
        self._found.append(found)
        return found

    def _tensor(self, data: bytes, start: int, end: int) -> Tensor:
        dims: list[int] = []
        name, dtype, location = "", 0, 0
        raw: bytes | None = None
        payload: Payload | None = None
        numbers: list[int | float | bytes] = []
        external: list[tuple[str, str]] = []
        for number, wire, begin, stop in fields(data, start, end):
            if number == 1:
                dims += self._integers(data, wire, begin, stop)
            elif number == 2 and wire == VARINT:
                dtype = begin
            elif number == 8 and wire == BYTES:
                name = data[begin:stop].decode()
            elif number in (4, 5, 6, 7, 9, 10, 11):
                if begin == stop and wire == BYTES and begin in self._payloads:
                    payload = self._payloads[begin]
                elif number == 9:
                    raw = data[begin:stop]
                else:
                    numbers += self._numbers(data, number, wire, begin, stop)
            elif number == 13 and wire == BYTES:
                external.append(pair(data, begin, stop))
            elif number == 14 and wire == VARINT:
                location = begin
        outside = tuple(external) if external or location == _EXTERNAL else None
        values = tuple(numbers) if numbers else None
        return Tensor(name, dtype, tuple(dims), raw, values, outside, payload)

    def _numbers(
        self, data: bytes, number: int, wire: int, start: int, end: int
    ) -> list[int | float | bytes]:
        if number == 4:
            return list(self._packed(data, "f", 4, wire, start, end))
        if number == 10:
            return list(self._packed(data, "d", 8, wire, start, end))
        if number == 6:
            return [data[start:end]]
        return list(self._integers(data, wire, start, end))

    def _sparse(self, data: bytes, start: int, end: int) -> SparseTensor:
        values: Tensor | None = None
        indices: Tensor | None = None
        dims: list[int] = []
        for number, wire, begin, stop in fields(data, start, end):
            if number == 3:
                dims += self._integers(data, wire, begin, stop)
            elif number == 1 and wire == BYTES:
                values = self._kept(data, begin, stop)
            elif number == 2 and wire == BYTES:
                indices = self._kept(data, begin, stop)
        if values is None:
            raise WireError("a sparse constant without values")
        return SparseTensor(values, indices, tuple(dims))

    def _function(self, data: bytes, start: int, end: int) -> Function:
        texts: dict[int, str] = {}
        inputs: list[str] = []
        outputs: list[str] = []
        defaults: dict[str, Attribute] = {}
        nodes: list[Node] = []
        opsets: list[tuple[str, int]] = []
        for number, wire, begin, stop in fields(data, start, end):
            if wire != BYTES:
                continue
            if number in (1, 10, 13):
                texts[number] = data[begin:stop].decode()
            elif number == 4:
                inputs.append(data[begin:stop].decode())
            elif number == 5:
                outputs.append(data[begin:stop].decode())
            elif number == 7:
                nodes.append(self._node(data, begin, stop))
            elif number == 9:
                opsets.append(_opset(data, begin, stop))
            elif number == 11:
                name, attribute = self._attribute(data, begin, stop)
                defaults[name] = attribute
        return Function(
            texts.get(10, ""), texts.get(1, ""), texts.get(13, ""), tuple(inputs), tuple(outputs),
            defaults, tuple(nodes), tuple(opsets),
        )  # fmt: skip

    def _training(self, data: bytes, start: int, end: int) -> list[Graph]:
        return [
            self._graph(data, begin, stop)
            for number, wire, begin, stop in fields(data, start, end)
            if number in (1, 2) and wire == BYTES
        ]


def _opset(data: bytes, start: int, end: int) -> tuple[str, int]:
    domain, version = "", 0
    for number, wire, begin, stop in fields(data, start, end):
        if number == 1 and wire == BYTES:
            domain = data[begin:stop].decode()
        elif number == 2 and wire == VARINT:
            version = signed(begin)
    return "" if domain == "ai.onnx" else domain, version


def _behind_metadata(data: bytes, position: int, end: int) -> int:
    """Go on behind a run of metadata entries, of which torch writes ten a node."""
    while position < end and data[position] == 0x4A:
        length = data[position + 1]
        position += 2
        if length > 0x7F:
            if data[position] > 0x7F:
                length, position = varint(data, position - 1)
            else:
                length += (data[position] - 1) << 7
                position += 1
        position += length
        if position > end:
            raise WireError("a field that is longer than its message")
    return position


def pair(data: bytes, start: int, end: int) -> tuple[str, str]:
    """Read a StringStringEntryProto."""
    key = text = ""
    for number, wire, begin, stop in fields(data, start, end):
        if wire == BYTES and number == 1:
            key = data[begin:stop].decode()
        elif wire == BYTES and number == 2:
            text = data[begin:stop].decode()
    return key, text


def value(data: bytes, start: int, end: int) -> ValueInfo:
    """Read a ValueInfoProto."""
    name, found = "", None
    for number, wire, begin, stop in fields(data, start, end):
        if wire == BYTES and number == 1:
            name = data[begin:stop].decode()
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
            return data[begin:stop].decode() or None
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


# Tags of GraphProto: node, initializer, value_info.
_NODE, _TENSOR, _VALUE_INFO = 1 << 3 | BYTES, 5 << 3 | BYTES, 13 << 3 | BYTES
# Sizes, type and name of a tensor, which come before its data, are hardly ever longer.
_TENSOR_HEAD_BYTES = 256
_MODEL_KINDS = {20: "training", 25: "function"}
_GRAPH_KINDS = {1: "node", 5: "tensor", 15: "sparse"}
_ATTRIBUTE_FIELDS: Mapping[int, Callable[[Parser, bytes, int, int, int], list[Any]]] = {
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
