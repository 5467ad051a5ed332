"""What a worker does to itself before it touches a model."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import socket
import sys
from typing import Any

_PR_SET_PDEATHSIG = 1
# Modules that report use or fetch things as soon as they are imported; their libraries do without.
_REPORTERS = ("openvino_telemetry", "aliyun")
_STARTS_A_PROGRAM = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")
_INSTALLER = re.compile(r"(^|[\s/'\"])(pip[0-9.]*|uv|conda|mamba)(['\"\s]|$)")


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


def stay_offline() -> None:
    """Refuse connections, and programs that install packages, to all Python code from now on.

    Some libraries send reports when they are imported or convert a model, and some install what
    they miss. C code is not reached by this; none of the supported runtimes connects from there.
    """
    for name in _REPORTERS:
        sys.modules[name] = None  # type: ignore[assignment] # the import system's word for "absent"
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _STARTS_A_PROGRAM:
        if _INSTALLER.search(" ".join(_words(arguments))):
            raise PermissionError("a worker installs nothing")
    elif event == "socket.getaddrinfo" or (
        event in ("socket.connect", "socket.sendto", "socket.bind")
        and arguments[0].family != socket.AF_UNIX
    ):
        raise PermissionError("a worker opens no network connection")


def _words(value: Any) -> list[str]:
    if isinstance(value, bytes | str | os.PathLike):
        return [os.fsdecode(value)]
    return (
        [word for part in value for word in _words(part)] if isinstance(value, list | tuple) else []
    )
