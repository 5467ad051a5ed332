"""Raw samples as bytes: small, exact, and the same on every machine."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

from profiler.core.outcome import DeviceSamples, Round

# The first byte names the encoding, so that a later one can be added beside it.
_INT64_ZLIB = 1
_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class RoundHead:
    """A round without its samples; `samples` says how many of them to read."""

    samples: int
    runs_per_sample: int
    external_load: float | None = None
    device_columns: tuple[str, ...] = ()
    stream_samples: tuple[int, ...] = ()
    paced: bool = False

    @property
    def columns(self) -> int:
        """Numbers that are kept of each sample."""
        return _COLUMNS + self.paced + len(self.device_columns)


def heads(rounds: Sequence[Round]) -> tuple[RoundHead, ...]:
    """Describe the rounds that `pack` writes."""
    return tuple(
        RoundHead(
            len(r.wall_ns),
            r.runs_per_sample,
            r.external_load,
            _device_columns(r),
            r.stream_samples,
            bool(r.pace_ns),
        )
        for r in rounds
    )


def pack(rounds: Sequence[Round]) -> bytes:
    """Compress all samples of all rounds.

    Format: one byte 1, then zlib of little-endian int64: for each round all wall_ns, all cpu_ns,
    all switches, all faults, all pace_ns and the columns of the device where its head names them.
    Raises: ValueError when the tuples of a round differ in length or a number exceeds 64 bit.
    """
    numbers: list[int] = []
    for block in rounds:
        columns = [block.wall_ns, block.cpu_ns, block.switches, block.faults]
        columns += [block.pace_ns] if block.pace_ns else []
        columns += [getattr(block.device, name) for name in _device_columns(block)]
        if len({len(column) for column in columns}) != 1:
            raise ValueError("the columns of a round differ in length")
        for column in columns:
            numbers.extend(column)
    try:
        plain = struct.pack(f"<{len(numbers)}q", *numbers)
    except struct.error as error:
        raise ValueError(f"a sample is no 64-bit integer: {error}") from error
    return bytes([_INT64_ZLIB]) + zlib.compress(plain, 6)


def unpack(data: bytes, described: Sequence[RoundHead]) -> tuple[Round, ...]:
    """Read what `pack` wrote.

    Raises: ValueError when the bytes are not these rounds.
    """
    if not data or data[0] != _INT64_ZLIB:
        raise ValueError("the samples have an unknown encoding")
    size = 8 * sum(head.samples * head.columns for head in described)
    plain = _inflate(data[1:], size)
    numbers = struct.unpack(f"<{size // 8}q", plain)
    rounds, start = [], 0
    for head in described:
        n, count = head.samples, head.columns
        columns = [numbers[start + n * i : start + n * (i + 1)] for i in range(count)]
        wall, cpu, switches, faults, *rest = columns
        pace = rest.pop(0) if head.paced else ()
        device = dict(zip(head.device_columns, rest, strict=True))
        rounds.append(
            Round(
                wall, cpu, switches, faults, head.runs_per_sample, head.external_load,
                DeviceSamples(**device) if device else None, head.stream_samples, pace,
            )
        )  # fmt: skip
        start += n * count
    return tuple(rounds)


def _device_columns(block: Round) -> tuple[str, ...]:
    """The columns of the device that are there."""
    if block.device is None:
        return ()
    return tuple(f.name for f in fields(DeviceSamples) if getattr(block.device, f.name))


def _inflate(data: bytes, size: int) -> bytes:
    # Bounded, so that a damaged or forged row can't ask for more memory than its description.
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(f"the samples are damaged: {error}") from error
    if len(plain) != size or not inflater.eof:
        raise ValueError("the samples do not have the length that their row says")
    return plain
