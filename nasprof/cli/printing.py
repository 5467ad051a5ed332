"""Printing: JSON for scripts, lines for people, progress on the error stream."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


def show_json(value: Any) -> None:
    """Print a result as JSON; infinity and NaN are written as null."""
    print(json.dumps(_finite(value), indent=2, ensure_ascii=True, allow_nan=False))


def note(text: str) -> None:
    """Print a remark for the person beside the result."""
    print(text, file=sys.stderr)


class Bar(Protocol):
    """A progress bar that draws only when it is told to."""

    def step(self, done: int, total: int, text: str) -> None:
        """Show that `done` of `total` steps are done and what is being done now."""
        ...


@contextmanager
def progress(title: str) -> Iterator[Bar]:
    """Show progress on the error stream where that is a terminal, without a thread of its own.

    A bar that redraws by itself would take time from the worker that is being measured.
    """
    if not sys.stderr.isatty():
        yield _Silent()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[text]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as bars:
        yield _Drawn(bars, bars.add_task(title, total=None, text=""))


class _Silent:
    def step(self, done: int, total: int, text: str) -> None:
        pass


class _Drawn:
    def __init__(self, bars: Any, task: Any) -> None:
        self._bars, self._task = bars, task

    def step(self, done: int, total: int, text: str) -> None:
        from rich.markup import escape

        self._bars.update(self._task, completed=done, total=total, text=escape(text))
        self._bars.refresh()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
