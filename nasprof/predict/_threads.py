"""Linear algebra on one thread: for matrices this small more threads only wait for each other."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


def one_thread() -> AbstractContextManager[Any]:
    """Limit BLAS to one thread while inside; results then don't hang on the machine's cores."""
    found: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return found


@cache
def _controller() -> ThreadpoolController:
    # Made once: to find the loaded libraries takes milliseconds.
    return ThreadpoolController()
