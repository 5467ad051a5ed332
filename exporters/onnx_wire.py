"""The protobuf wire format of an ONNX file, without the weights.

Source: Protocol Buffers encoding; field numbers of onnx.proto.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from exporters.onnx_types import Payload

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# Messages up to this size are read whole, so constants up to about this size are known.
KEPT_BYTES = 16 * 1024
# What may be left of a file without its weights; a 2 GiB model leaves a few MiB.
STRUCTURE_LIMIT_BYTES = 512 * 2**20
# The parser of protobuf itself stops at 100 messages inside each other.
DEPTH_LIMIT = 100
_SMALLEST_WINDOW_BYTES, _WINDOW_BYTES = 8 * 1024, 256 * 1024
_LONGEST_HEAD = 20


class WireError(Exception):
    """Bytes that are no protobuf message, or not one that we want to read."""


class _Kind(NamedTuple):
    """Which fields of a message are messages to look into, and which are payloads to skip."""

    children: dict[int, str]
    payloads: frozenset[int] = frozenset()


# The fields of a TensorProto that hold its data.
PAYLOAD_FIELDS = frozenset({4, 5, 6, 7, 9, 10, 11})
_KINDS = {
    "graph": _Kind({1: "node", 5: "tensor", 15: "sparse"}),
    "node": _Kind({5: "attribute"}),
    "attribute": _Kind(
        {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"}
    ),
    "sparse": _Kind({1: "tensor", 2: "tensor"}),
    "function": _Kind({7: "node", 11: "attribute"}),
    "training": _Kind({1: "graph", 2: "graph"}),
    "tensor": _Kind({}, PAYLOAD_FIELDS),
}  # fmt: skip


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Read one variable-length integer; returns it and the position behind it.

    Raises: IndexError past the end, WireError when it is longer than ten bytes.
    """
    value = data[position]
    position += 1
    if value < 0x80:
        return value, position
    value &= 0x7F
    shift = 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
        shift += 7
        if shift > 63:
            raise WireError("a number of more than ten bytes")


def signed(value: int) -> int:
    """A 64-bit number as the signed one it stands for."""
    return value - (1 << 64) if value >> 63 else value


def fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Walk the fields of a message: (number, wire type, start, end).

    For a varint, `start` is its value and `end` unused; else they bound the bytes of the value.
    Raises: WireError when a field leaves the message or has an unknown wire type.
    """
    position = start
    while position < end:
        # Tags and lengths of one byte, nearly all there are, are read on the spot.
        tag = data[position]
        position += 1
        if tag > 0x7F:
            tag, position = varint(data, position - 1)
        wire = tag & 7
        if wire == VARINT:
            value, position = varint(data, position)
            yield tag >> 3, wire, value, value
            continue
        if wire == BYTES:
            length = data[position]
            position += 1
            if length > 0x7F:
                length, position = varint(data, position - 1)
        else:
            length = _width(wire)
        begin = position
        position += length
        if position > end:
            raise WireError("a field that is longer than its message")
        yield tag >> 3, wire, begin, position
    if position != end:
        raise WireError("a field that is longer than its message")


def _width(wire: int) -> int:
    if wire == FIXED32:
        return 4
    if wire == FIXED64:
        return 8
    raise WireError(f"wire type {wire}")


class File:
    """A file read through a window that grows while it moves on and is small after a jump."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.size = size
        self._descriptor = descriptor
        self._base = 0
        self._window = b""
        self._next = _SMALLEST_WINDOW_BYTES
        self._read = 0

    def head(self, position: int) -> tuple[int, int, int]:
        """Read the tag of a field and where its value lies: (tag, start, end).

        Raises: IndexError past the end, WireError for an unknown wire type.
        """
        at = position - self._base
        if at + _LONGEST_HEAD > len(self._window) or at < 0:
            at = self._move(position, position + _LONGEST_HEAD)
        window, base = self._window, self._base
        tag = window[at]
        at += 1
        if tag > 0x7F:
            tag, at = varint(window, at - 1)
        wire = tag & 7
        if wire == BYTES:
            length = window[at]
            at += 1
            if length > 0x7F:
                # Two bytes, the length of most nodes, are read on the spot.
                if window[at] > 0x7F:
                    length, at = varint(window, at - 1)
                else:
                    length += (window[at] - 1) << 7
                    at += 1
            at += base
            return tag, at, at + length
        if wire == VARINT:
            return tag, base + at, base + varint(window, at)[1]
        return tag, base + at, base + at + _width(wire)

    def skip(self, position: int, tag: int) -> int:
        """Go on behind a run of fields of one tag of a byte, as far as the window shows them."""
        window, base = self._window, self._base
        at, last = position - base, len(window) - _LONGEST_HEAD
        behind = at
        while 0 <= at < last and window[at] == tag:
            length = window[at + 1]
            at += 2
            if length > 0x7F:
                length, at = varint(window, at - 1)
            at += length
            behind = at
        return base + behind

    def span(self, start: int, end: int) -> tuple[bytes, int]:
        """Bytes that hold a part of the file, and where in them it begins.

        Raises: WireError when the file is shorter.
        """
        at = start - self._base
        if at < 0 or end - self._base > len(self._window):
            at = self._move(start, end)
            if end - start > len(self._window):
                raise WireError("the file is shorter than it says")
        return self._window, at

    def _move(self, start: int, end: int) -> int:
        # Going on is worth a longer look ahead; after a jump over weights there is little to see.
        goes_on = 0 <= start - self._base <= len(self._window)
        self._next = min(2 * self._next, _WINDOW_BYTES) if goes_on else _SMALLEST_WINDOW_BYTES
        self._count(end - start)
        self._window = os.pread(self._descriptor, max(self._next, end - start), start)
        self._base = start
        return 0

    def _count(self, size: int) -> None:
        # Asked before reading: a file may be all structure, or say so.
        self._read += size
        if self._read > STRUCTURE_LIMIT_BYTES:
            raise WireError(f"more than {STRUCTURE_LIMIT_BYTES >> 20} MiB besides its weights")

    def read(self, start: int, end: int) -> bytes:
        """Read a part of the file.

        Raises: WireError when the file is shorter.
        """
        self._count(end - start)
        parts = []
        while start < end:
            part = os.pread(self._descriptor, min(end - start, 2**24), start)
            if not part:
                raise WireError("the file is shorter than it says")
            parts.append(part)
            start += len(part)
        return b"".join(parts)


class Skeletons:
    """Copies of messages without their payloads."""

    def __init__(self, file: File) -> None:
        self._file = file

    def copy(self, kind: str, start: int, end: int) -> tuple[bytes, dict[int, Payload]]:
        """Copy a message of the file; every payload over `KEPT_BYTES` is empty in the copy.

        Returns the copy, and by the places of those empty fields where their bytes lie in the file.
        Raises: WireError or IndexError when it is malformed, too large or too deep.
        """
        data, skipped = self._copy(kind, start, end, 1)
        return data, dict(skipped)

    def _copy(
        self, kind: str, start: int, end: int, depth: int
    ) -> tuple[bytes, list[tuple[int, Payload]]]:
        if depth > DEPTH_LIMIT:
            raise WireError(f"more than {DEPTH_LIMIT} messages inside each other")
        out = bytearray()
        skipped: list[tuple[int, Payload]] = []
        position = run = start
        children, payloads = _KINDS[kind]
        while position < end:
            tag, begin, stop = self._file.head(position)
            if stop > end:
                raise WireError("a field that is longer than its message")
            if stop - begin > KEPT_BYTES and tag >> 3 in (children or payloads):
                self._append(out, run, position)
                number = tag >> 3
                if number in children:
                    inner, found = self._copy(children[number], begin, stop, depth + 1)
                else:
                    inner, found = b"", [(0, Payload(begin, stop - begin, number))]
                out += encode_varint(tag) + encode_varint(len(inner))
                skipped += [(at + len(out), payload) for at, payload in found]
                out += inner
                run = stop
            position = stop
        self._append(out, run, end)
        return bytes(out), skipped

    def _append(self, out: bytearray, start: int, end: int) -> None:
        out += self._file.read(start, end)


def encode_varint(value: int) -> bytes:
    """Write one variable-length integer."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
