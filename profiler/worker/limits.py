"""What a worker does to itself before it touches a model."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tie_to(parent_pid: int) -> None:
    """Die with the parent, and write no core dump."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_pid:  # it died before the call above took effect
            os._exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def hold_memory(memory_limit_bytes: int | None) -> None:
    """Hold the memory limit.

    It is on data (RLIMIT_DATA) and not on address space, which GPU drivers reserve freely.
    """
    if memory_limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit_bytes, memory_limit_bytes))
