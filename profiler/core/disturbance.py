"""What happened to the machine while a latency was measured: reasons against the number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from profiler.core.environment import Conditions

if TYPE_CHECKING:
    from profiler.core.outcome import Attempt, DeviceSamples

# Others on a quarter of a core already share caches and clocks: on two cores one competing loop
# moved the median of undisturbed samples by a quarter. On large machines it is a share of them.
_LOAD_CORES = 0.25
_LOAD_SHARE = 0.1
_STOLEN = 0.02
_SLOWER_CLOCK = 0.05
_SUSPENDED_S = 1.0
_HELD_BACK_SHARE = 0.05
# NVML's clocks event reasons that slow a busy GPU down (nvml.h, nvmlClocksEventReason*).
_HELD_BACK = (
    (0x04, "the power limit"),
    (0x20 | 0x40, "heat"),
    (0x08 | 0x80, "the board (hardware slowdown or power brake)"),
)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One thing that speaks against a number; a `fatal` one leaves nothing to rely on."""

    text: str
    fatal: bool = False


def disturbances(attempts: Sequence[Attempt]) -> tuple[Disturbance, ...]:
    """What the processes of one measurement saw change or interfere; what is unknown is left out.

    The machine that a number belongs to must be one and the same from the first process to the
    last, so allowed cores, governor or quota that changed are fatal.
    """
    found = [*_changed(attempts), *_loaded(attempts), *_unsettled(attempts)]
    found += [*_gpu_shared(attempts), *_gpu_held_back(attempts), *_gpu_clock(attempts)]
    for before, after in ((attempt.before, attempt.after) for attempt in attempts):
        found += [*_taken(before, after), *_slower(before, after), *_suspended(before, after)]
    return tuple(dict.fromkeys(found))


def _changed(attempts: Sequence[Attempt]) -> Iterator[Disturbance]:
    seen = [c for attempt in attempts for c in (attempt.before, attempt.after)]
    for field, name in (
        ("cores_allowed", "allowed cores"),
        ("governor", "governor"),
        ("cpu_quota", "CPU quota"),
    ):
        values = [getattr(conditions, field) for conditions in seen]
        step = next(((a, b) for a, b in pairwise(values) if None not in (a, b) and a != b), None)
        if step is not None:
            change = " to ".join(_shown(value) for value in step)
            yield Disturbance(f"{name} changed from {change} while measuring", fatal=True)


def _loaded(attempts: Sequence[Attempt]) -> Iterator[Disturbance]:
    loads = [b.external_load for a in attempts for b in a.rounds if b.external_load is not None]
    cores = max((a.before.cores_online or 0 for a in attempts), default=0)
    if loads and median(loads) > max(_LOAD_CORES, _LOAD_SHARE * cores):
        yield Disturbance(f"others used {median(loads):.1f} cores meanwhile")


def _gpu_shared(attempts: Sequence[Attempt]) -> Iterator[Disturbance]:
    """Processes that computed on the GPU before ours did, or beside it at the end."""
    counts = [
        max((before.gpu.processes or 0) if before.gpu else 0, (after.gpu.processes or 0) - 1)
        for before, after in ((attempt.before, attempt.after) for attempt in attempts)
        if after.gpu is not None
    ]
    if counts and max(counts) > 0:
        others = f"{max(counts)} other process{'' if max(counts) == 1 else 'es'}"
        yield Disturbance(f"{others} computed on the GPU")


def _gpu_held_back(attempts: Sequence[Attempt]) -> Iterator[Disturbance]:
    masks = [mask for samples in _device_samples(attempts) for mask in samples.held_back]
    for bits, name in _HELD_BACK:
        share = sum(bool(mask & bits) for mask in masks) / max(len(masks), 1)
        if share > _HELD_BACK_SHARE:
            yield Disturbance(f"{name} held the GPU's clock back in {share:.0%} of the samples")


def _gpu_clock(attempts: Sequence[Attempt]) -> Iterator[Disturbance]:
    clocks = sorted(mhz for samples in _device_samples(attempts) for mhz in samples.sm_mhz if mhz)
    if not clocks:
        return
    low, high = (clocks[int(share * (len(clocks) - 1))] for share in (0.05, 0.95))
    if low < (1 - _SLOWER_CLOCK) * high:
        yield Disturbance(
            f"the GPU's clock moved between {low} and {high} MHz; hold it with --lock-gpu-clock"
        )


def _device_samples(attempts: Sequence[Attempt]) -> Iterator[DeviceSamples]:
    for attempt in attempts:
        yield from (block.device for block in attempt.rounds if block.device is not None)


def _unsettled(attempts: Sequence[Attempt]) -> Iterator[Disturbance]:
    restless = sum(not attempt.warmup_settled for attempt in attempts)
    if restless:
        yield Disturbance(
            f"latency had not settled after the warm-up in {restless} of {len(attempts)} processes"
        )


def _taken(before: Conditions, after: Conditions) -> Iterator[Disturbance]:
    """CPU time that the host or a quota kept back, as a share of the time that passed."""
    passed = _between(before.monotonic_s, after.monotonic_s)
    if not passed:
        return
    stolen = _between(before.steal_s, after.steal_s)
    if stolen is not None and stolen / passed > _STOLEN:
        yield Disturbance("the host of this virtual machine took CPU time (steal)")
    throttled = _between(before.throttled_s, after.throttled_s)
    if throttled is not None and throttled / passed > _STOLEN:
        yield Disturbance("the CPU quota was reached and held processes back")


def _slower(before: Conditions, after: Conditions) -> Iterator[Disturbance]:
    if before.frequency_mhz is None or after.frequency_mhz is None:
        return
    if after.frequency_mhz < (1 - _SLOWER_CLOCK) * before.frequency_mhz:
        yield Disturbance(
            f"the clock fell from {before.frequency_mhz:.0f} to {after.frequency_mhz:.0f} MHz"
        )


def _suspended(before: Conditions, after: Conditions) -> Iterator[Disturbance]:
    awake = _between(before.monotonic_s, after.monotonic_s)
    passed = _between(before.boot_s, after.boot_s)
    if awake is not None and passed is not None and passed - awake > _SUSPENDED_S:
        yield Disturbance(f"the machine slept for {passed - awake:.0f} s while measuring")


def _between(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"{len(value)} ({','.join(map(str, value[:8]))}{',...' if len(value) > 8 else ''})"
    return str(value)
