"""What a converter prints is where some of them say why they failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from exporters.quiet import redirected


@contextmanager
def captured(file: Path) -> Iterator[None]:
    """Write everything that this process prints to a file, text of C code included."""
    with file.open("wb") as stream, ExitStack() as stack:
        for descriptor in (1, 2):
            stack.enter_context(redirected(descriptor, stream.fileno()))
        yield
