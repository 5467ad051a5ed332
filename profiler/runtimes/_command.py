"""A command that is asked on its standard input and answers on its standard output."""

from __future__ import annotations

import json
import shlex
import struct
import subprocess
from collections.abc import Sequence
from typing import Any, BinaryIO

from profiler.core.errors import ModelError, UnavailableError
from profiler.core.outcome import FailureKind

_HEAD = struct.Struct(">I")
_LARGEST_ANSWER_BYTES = 64 * 2**20


class Command:
    """A started command; it ends when its standard input does, or with this process's group."""

    def __init__(self, text: str) -> None:
        words = shlex.split(text)
        if not words:
            raise UnavailableError("stdio needs a command: --on 'stdio:COMMAND'")
        try:
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise UnavailableError(f"{words[0]!r} cannot be started: {error.strerror}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asks: BinaryIO = self._process.stdin  # type: ignore[assignment]
        self._answers: BinaryIO = self._process.stdout  # type: ignore[assignment]

    def ask(self, task: str, parts: Sequence[bytes] = (), **more: Any) -> dict[str, Any]:
        """Send one message with the raw bytes that follow it, and return the answer's `result`.

        Raises: ModelError with the command's own words, or because it ended or spoke no frame.
        """
        body = json.dumps({"task": task, **more}).encode()
        try:
            for part in (_HEAD.pack(len(body)), body, *parts):
                self._asks.write(part)
            self._asks.flush()
        except OSError as error:
            raise self._ended(task) from error
        answer = self._frame(task)
        if "error" in answer:
            raise _told(answer["error"])
        if not isinstance(found := answer.get("result"), dict):
            raise ModelError(
                FailureKind.PROTOCOL_ERROR, f"the command's answer to {task} has no result"
            )
        return found

    def read(self, size_bytes: int, task: str) -> bytes:
        """Raw bytes that follow an answer.

        Raises: ModelError when the command ends before.
        """
        data = self._answers.read(size_bytes)
        if len(data) < size_bytes:
            raise self._ended(task)
        return data

    def close(self) -> None:
        """Let it end."""
        self._asks.close()
        self._process.wait()

    def _frame(self, task: str) -> dict[str, Any]:
        (length,) = _HEAD.unpack(self.read(_HEAD.size, task))
        if length > _LARGEST_ANSWER_BYTES:
            raise ModelError(
                FailureKind.PROTOCOL_ERROR, f"the command answers {task} with no frame"
            )
        try:
            found = json.loads(self.read(length, task))
        except ValueError as error:
            raise ModelError(
                FailureKind.PROTOCOL_ERROR, f"the command answers {task} with no JSON: {error}"
            ) from error
        if not isinstance(found, dict):
            raise ModelError(
                FailureKind.PROTOCOL_ERROR, f"the command answers {task} with no object"
            )
        return found

    def _ended(self, task: str) -> ModelError:
        self._answers.close()
        code = self._process.wait()
        how = f"died of signal {-code}" if code < 0 else f"ended with exit code {code}"
        return ModelError(FailureKind.CRASHED, f"the command {how} when it was asked to {task}")


def _told(error: Any) -> ModelError:
    kind, message = (
        (error.get("kind"), error.get("message")) if isinstance(error, dict) else (None, error)
    )
    known = {kind.value for kind in FailureKind}
    return ModelError(
        FailureKind(kind) if kind in known else FailureKind.CRASHED, f"the command says: {message}"
    )
