"""Frames between a worker and its parent: a 4-byte big-endian length, then UTF-8 JSON."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

MAX_FRAME_BYTES = 64 * 2**20
_HEAD = struct.Struct(">I")


class FrameError(Exception):
    """Bytes that are no frame."""


def send(descriptor: int, message: dict[str, Any]) -> None:
    """Write one frame.

    Raises: FrameError when it is longer than 64 MiB; OSError when the parent is gone.
    """
    body = json.dumps(message, allow_nan=True).encode()
    if len(body) > MAX_FRAME_BYTES:
        raise FrameError(f"frame of {len(body)} bytes is over the limit")
    view = memoryview(_HEAD.pack(len(body)) + body)
    while view:
        view = view[os.write(descriptor, view) :]


class Decoder:
    """Turns the bytes of a pipe into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take more bytes and return the messages that are complete.

        Raises: FrameError on a length over 64 MiB or a body that is no JSON object.
        """
        self._buffer += data
        messages = []
        while len(self._buffer) >= _HEAD.size:
            (length,) = _HEAD.unpack_from(self._buffer)
            if length > MAX_FRAME_BYTES:
                raise FrameError(f"frame of {length} bytes is over the limit")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                break
            messages.append(_parse(bytes(self._buffer[_HEAD.size : end])))
            del self._buffer[:end]
        return messages

    @property
    def pending_bytes(self) -> int:
        """Bytes of a frame that has not arrived in full."""
        return len(self._buffer)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"frame is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise FrameError("frame is not a JSON object")
    return message
