"""Silence for libraries that print: nothing they write reaches the person's terminal."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

_LOCK = threading.RLock()


@contextmanager
def quiet() -> Iterator[list[warnings.WarningMessage]]:
    """Drop all output of this process, C code included, and collect its warnings.

    The file descriptors 1 and 2 belong to the whole process: output of other threads is dropped
    meanwhile too. One caller at a time; others wait.
    """
    with _LOCK, ExitStack() as stack:
        sink = stack.enter_context(Path(os.devnull).open("w"))
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        for descriptor in (1, 2):
            stack.enter_context(redirected(descriptor, sink.fileno()))
        stack.enter_context(redirect_stdout(sink))
        stack.enter_context(redirect_stderr(sink))
        # Handlers made at import keep the stream they found, so loggers are stopped at the source.
        previous = logging.root.manager.disable
        stack.callback(logging.disable, previous)
        logging.disable(max(previous, logging.ERROR))
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        yield caught


@contextmanager
def redirected(descriptor: int, target: int) -> Iterator[None]:
    """Send what this process writes to one descriptor to another, text of C code included."""
    try:
        saved = os.dup(descriptor)
    except OSError:  # closed, as in a daemon: nothing can be written there
        yield
        return
    try:
        os.dup2(target, descriptor)
        yield
    finally:
        _flush_c_streams()
        os.dup2(saved, descriptor)
        os.close(saved)


def _flush_c_streams() -> None:
    # Text that C code printed waits in its own buffer and would appear after the silence.
    import ctypes

    try:
        ctypes.CDLL(None).fflush(None)
    except (OSError, AttributeError, TypeError):
        return
