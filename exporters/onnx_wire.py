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
_WINDOW_BYTES = 32 * 1024
_LONGEST_HEAD = 20


class WireError(Exception):
    """Bytes that are no protobuf message, or not one that we want to read."""


class _Kind(NamedTuple):
    """Which fields of a message are messages to look into, and which are payloads to skip."""

    children: dict[int, str]
    payloads: frozenset[int] = frozenset()


_KINDS = {
    "model": _Kind({7: "graph", 20: "training", 25: "function"}),
    "graph": _Kind({1: "node", 5: "tensor", 15: "sparse"}),
    "node": _Kind({5: "attribute"}),
    "attribute": _Kind(
        {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"}
    ),
    "sparse": _Kind({1: "tensor", 2: "tensor"}),
    "function": _Kind({7: "node", 11: "attribute"}),
    "training": _Kind({1: "graph", 2: "graph"}),
    "tensor": _Kind({}, frozenset({4, 5, 6, 7, 9, 10, 11})),
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
        tag, position = varint(data, position)
        wire = tag & 7
        if wire == VARINT:
            value, position = varint(data, position)
            yield tag >> 3, wire, value, value
            continue
        length, begin = _extent(data, position, wire)
        position = begin + length
        if position > end:
            raise WireError("a field that is longer than its message")
        yield tag >> 3, wire, begin, position
    if position != end:
        raise WireError("a field that is longer than its message")


def _extent(data: bytes, position: int, wire: int) -> tuple[int, int]:
    if wire == BYTES:
        return varint(data, position)
    if wire == FIXED32:
        return 4, position
    if wire == FIXED64:
        return 8, position
    raise WireError(f"wire type {wire}")


class _File:
    """A file read through a small window, so that skipping costs nothing."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self.size = size
        self._base = 0
        self._window = b""

    def varint(self, position: int) -> tuple[int, int]:
        at = position - self._base
        if at < 0 or at + _LONGEST_HEAD > len(self._window):
            self._window = os.pread(self._descriptor, _WINDOW_BYTES, position)
            self._base, at = position, 0
        value, behind = varint(self._window, at)
        return value, behind + self._base

    def read(self, start: int, end: int) -> bytes:
        parts = []
        while start < end:
            part = os.pread(self._descriptor, min(end - start, 2**24), start)
            if not part:
                raise WireError("the file became shorter while it was read")
            parts.append(part)
            start += len(part)
        return b"".join(parts)


class _Skeleton:
    """A message being copied without its payloads."""

    def __init__(self, file: _File) -> None:
        self._file = file
        self._kept = 0

    def copy(
        self, kind: str, start: int, end: int, depth: int
    ) -> tuple[bytes, list[tuple[int, Payload]]]:
        """Copy one message; payloads become empty and are listed by their place in the copy."""
        if depth > DEPTH_LIMIT:
            raise WireError(f"more than {DEPTH_LIMIT} messages inside each other")
        out = bytearray()
        skipped: list[tuple[int, Payload]] = []
        position = run = start
        children, payloads = _KINDS[kind]
        while position < end:
            tag, value = self._file.varint(position)
            wire = tag & 7
            if wire == VARINT:
                position = self._file.varint(value)[1]
                continue
            length, begin = self._file.varint(value) if wire == BYTES else (0, value)
            if wire != BYTES:
                length = _extent(b"", value, wire)[0]
            stop = begin + length
            if stop > end:
                raise WireError("a field that is longer than its message")
            number = tag >> 3
            if length > KEPT_BYTES and wire == BYTES and (number in children or number in payloads):
                self._append(out, run, position)
                if number in children:
                    inner, found = self.copy(children[number], begin, stop, depth + 1)
                else:
                    inner, found = b"", [(0, Payload(begin, length, number))]
                out += encode_varint(tag) + encode_varint(len(inner))
                skipped += [(at + len(out), payload) for at, payload in found]
                out += inner
                run = stop
            position = stop
        if position != end:
            raise WireError("a field that is longer than its message")
        self._append(out, run, end)
        return bytes(out), skipped

    def _append(self, out: bytearray, start: int, end: int) -> None:
        self._kept += end - start
        if self._kept > STRUCTURE_LIMIT_BYTES:
            limit = STRUCTURE_LIMIT_BYTES >> 20
            raise WireError(f"more than {limit} MiB besides its weights")
        out += self._file.read(start, end)


def encode_varint(value: int) -> bytes:
    """Write one variable-length integer."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def skeleton(descriptor: int, size: int) -> tuple[bytes, dict[int, Payload]]:
    """Read a ModelProto from an open file without its weights.

    Returns a valid ModelProto in which every payload over `KEPT_BYTES` is empty, and the places of
    those empty fields with where their bytes lie in the file.
    Raises: WireError or IndexError when the file is no protobuf message.
    """
    data, skipped = _Skeleton(_File(descriptor, size)).copy("model", 0, size, 1)
    return data, dict(skipped)
