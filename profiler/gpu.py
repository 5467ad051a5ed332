"""An NVIDIA GPU as NVML sees it: what it is, what state it is in, and its clocks locked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pynvml

from profiler.core.environment import GpuFacts, GpuState
from profiler.core.errors import UnavailableError

T = TypeVar("T")
_LOCKED = "locked"
_GUARD = (
    "import sys; sys.path.insert(0, sys.argv[1]); from profiler.gpu import guard; "
    "guard(int(sys.argv[2]))"
)


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; what its driver or board does not tell is None."""

    handle: Any

    @property
    def name(self) -> str:
        """The product name."""
        return str(pynvml.nvmlDeviceGetName(self.handle))

    def facts(self) -> GpuFacts:
        """Read what stays the same between two comparable measurements."""
        handle = self.handle
        return GpuFacts(
            name=self.name,
            driver=str(pynvml.nvmlSystemGetDriverVersion()),
            cuda_driver=_known(lambda: _cuda_version(pynvml.nvmlSystemGetCudaDriverVersion())),
            memory_bytes=_known(lambda: int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)),
            power_limit_w=_known(lambda: pynvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000),
            max_sm_mhz=_known(
                lambda: int(pynvml.nvmlDeviceGetMaxClockInfo(handle, pynvml.NVML_CLOCK_SM))
            ),
            ecc=_known(lambda: bool(pynvml.nvmlDeviceGetEccMode(handle)[0])),
            mig=_known(lambda: bool(pynvml.nvmlDeviceGetMigMode(handle)[0])),
            persistence=_known(lambda: bool(pynvml.nvmlDeviceGetPersistenceMode(handle))),
        )

    def state(self) -> GpuState:
        """Read what changes from minute to minute."""
        handle = self.handle
        return GpuState(
            sm_mhz=self.sm_mhz(),
            memory_mhz=_known(
                lambda: int(pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_MEM))
            ),
            temperature_c=_known(
                lambda: float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))
            ),
            power_w=_known(lambda: pynvml.nvmlDeviceGetPowerUsage(handle) / 1000),
            held_back=self.held_back(),
            processes=_known(self._processes),
            used_bytes=_known(lambda: int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)),
        )

    def sm_mhz(self) -> int | None:
        """Clock of the multiprocessors now, in MHz."""
        return _known(lambda: int(pynvml.nvmlDeviceGetClockInfo(self.handle, pynvml.NVML_CLOCK_SM)))

    def held_back(self) -> int | None:
        """NVML's bit mask of what keeps the clock down now (clocks event reasons)."""
        return _known(lambda: int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(self.handle)))

    def energy_mj(self) -> int | None:
        """Energy in millijoules since the driver was loaded."""
        return _known(lambda: int(pynvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)))

    def memory_of(self, pid: int) -> int | None:
        """Bytes of GPU memory that a process holds; None also where processes are hidden."""
        found = _known(lambda: pynvml.nvmlDeviceGetComputeRunningProcesses(self.handle)) or []
        used = [process.usedGpuMemory for process in found if process.pid == pid]
        return None if not used or used[0] is None else int(used[0])

    def _processes(self) -> int:
        return len(pynvml.nvmlDeviceGetComputeRunningProcesses(self.handle))


def find() -> Gpu:
    """The first GPU that CUDA_VISIBLE_DEVICES leaves, in the order of the PCI bus.

    Raises: UnavailableError that says plainly why there is none, from NVML and not from a list of
    compiled-in providers, which names CUDA on machines without it.
    """
    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        if not handles:
            raise UnavailableError("no NVIDIA GPU on this machine")
        return Gpu(_visible(handles))
    except pynvml.NVMLError as error:
        raise UnavailableError(f"no NVIDIA GPU on this machine (NVML: {error})") from error


def first() -> Gpu | None:
    """The GPU that `find` finds, None without one."""
    try:
        return find()
    except UnavailableError:
        return None


@contextmanager
def locked_clocks(mhz: int) -> Iterator[None]:
    """Hold the GPU's multiprocessors at a clock; they are free again also after a kill -9.

    A guard process locks them and frees them when the pipe to it ends, however this process does.
    Raises: UnavailableError without a GPU, without the permission, or for a clock that it lacks.
    """
    command = [sys.executable, "-P", "-c", _GUARD, str(Path(__file__).parents[1]), str(mhz)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        if said != _LOCKED:
            process.stdin.close()
            raise UnavailableError(said or "the guard of the GPU clocks did not start")
        try:
            yield
        finally:
            process.stdin.close()
            process.wait()


def guard(mhz: int) -> None:
    """The guard process of `locked_clocks`: lock, say so, wait for the end of its input, free."""
    try:
        gpu = find()
    except UnavailableError as error:
        print(error)  # noqa: T201 - the line that the parent waits for
        return
    try:
        pynvml.nvmlDeviceSetGpuLockedClocks(gpu.handle, mhz, mhz)
    except pynvml.NVMLError as error:
        print(  # noqa: T201
            f"the clock of {gpu.name} cannot be locked at {mhz} MHz ({error}); run as root and "
            "name a clock from: nvidia-smi --query-supported-clocks=graphics"
        )
        return
    print(_LOCKED, flush=True)  # noqa: T201
    sys.stdin.read()
    pynvml.nvmlDeviceResetGpuLockedClocks(gpu.handle)


def _visible(handles: list[Any]) -> Any:
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return handles[0]
    token = wanted.split(",")[0].strip()
    if token.isdigit() and int(token) < len(handles):
        return handles[int(token)]
    if token.startswith("MIG-"):
        return pynvml.nvmlDeviceGetHandleByUUID(token)
    for handle in handles:
        if token and str(pynvml.nvmlDeviceGetUUID(handle)).startswith(token):
            return handle
    raise UnavailableError(f"CUDA_VISIBLE_DEVICES={wanted!r} leaves no NVIDIA GPU")


def _cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _known(read: Callable[[], T]) -> T | None:
    """What NVML says, None for what this board or driver does not support."""
    try:
        return read()
    except pynvml.NVMLError:
        return None
