"""NAS-Bench-101 as its authors release it: records of JSON with protocol buffers inside."""

from __future__ import annotations

import base64
import json
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isqrt
from pathlib import Path
from statistics import fmean
from typing import Any

from nasprof.tables._reader import Content, Series
from profiler.core.errors import InputError

SHORT = {"conv3x3-bn-relu": "3x3", "conv1x1-bn-relu": "1x1", "maxpool3x3": "pool"}
# Fields of one evaluation in the released message, and the columns that they become.
METRICS = {2: "train_time", 3: "train", 4: "valid", 5: "test"}
_MOST_BYTES = 1 << 20


@dataclass(slots=True)
class _Cell:
    arch: str
    params: int
    runs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class NasBench101Reader:
    """Reads TFRecord files; final accuracies and training times, means over the three runs.

    Source: the released code and message format of Ying et al., ICML 2019.
    """

    name: str = "nasbench101"
    title: str = "NAS-Bench-101"
    takes: str = "nasbench_full.tfrecord or nasbench_only108.tfrecord"

    def read(self, files: Sequence[Path]) -> tuple[Content, ...]:
        """Read the records; columns are `valid_108` and so on, in percent and seconds.

        Raises: InputError when a file is no TFRecord of the benchmark.
        """
        cells: dict[str, _Cell] = {}
        for path in files:
            for number, record in enumerate(_records(path)):
                try:
                    _add(cells, record)
                except (ValueError, KeyError, TypeError, IndexError, struct.error) as error:
                    raise InputError(
                        f"{path}, record {number + 1}: it is no NAS-Bench-101 result ({error})"
                    ) from None
        return (_content(cells),)


def _add(cells: dict[str, _Cell], record: bytes) -> None:
    key, epochs, adjacency, operations, encoded = json.loads(record)
    message = _message(base64.b64decode(encoded, validate=True))
    evaluations = [_message(part) for part in message[1]]
    cell = cells.get(key)
    if cell is None:
        cell = cells[key] = _Cell(_arch(adjacency, operations), int(message[2][0]))
    # Evaluations are those at the start, half way and at the end.
    for number, metric in METRICS.items():
        value = struct.unpack("<d", evaluations[-1][number][0])[0]
        cell.runs[f"{metric}_{int(epochs)}"].append(value if number == 2 else 100 * value)


def _arch(adjacency: str, operations: str) -> str:
    size = isqrt(len(adjacency))
    rows = [adjacency[start : start + size] for start in range(0, size * size, size)]
    interior = operations.split(",")[1:-1]
    if size * size != len(adjacency) or len(interior) != size - 2:
        raise ValueError("the matrix and the operations do not fit")
    return "-".join(rows) + ":" + ",".join(SHORT[op] for op in interior)


def _content(cells: dict[str, _Cell]) -> Content:
    if not cells:
        raise InputError("the files hold no records")
    names = sorted({name for cell in cells.values() for name in cell.runs}, key=_order)
    columns = [
        Series("hash", list(cells)),
        Series("arch", [cell.arch for cell in cells.values()]),
        Series("params", [cell.params for cell in cells.values()], None, "params"),
    ]
    for name in names:
        means = [fmean(cell.runs[name]) if cell.runs[name] else None for cell in cells.values()]
        timed = name.startswith("train_time")
        unit, metric = ("s", "train_time") if timed else ("%", "accuracy")
        columns.append(Series(name, means, unit, metric))
    return Content("nasbench101", tuple(columns))


def _order(name: str) -> tuple[int, str]:
    metric, _, epochs = name.rpartition("_")
    return -int(epochs), metric


def _records(path: Path) -> Iterator[bytes]:
    """Records of a TFRecord file: length, its checksum, data, its checksum.

    The checksum of the length is verified, so a file of another kind fails at once; the data's is
    not, it would take an hour in Python.
    """
    with path.open("rb") as file:
        while head := file.read(12):
            length = int.from_bytes(head[:8], "little")
            if len(head) < 12 or head[8:] != _masked_crc(head[:8]) or length > _MOST_BYTES:
                raise InputError(f"{path} is no TFRecord file, or is damaged")
            data = file.read(length + 4)
            if len(data) < length + 4:
                raise InputError(f"{path} ends in the middle of a record")
            yield data[:length]


def _message(data: bytes) -> dict[int, list[Any]]:
    """The fields of a protocol buffer: integers, or the bytes of anything else."""
    fields: dict[int, list[Any]] = defaultdict(list)
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            fields[key >> 3].append(value)
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            if kind != 2:
                raise ValueError("an unknown kind of field")
            size, at = _varint(data, at)
        if at + size > len(data):
            raise ValueError("a field is cut off")
        fields[key >> 3].append(data[at : at + size])
        at += size
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")


def _masked_crc(data: bytes) -> bytes:
    """The checksum of the TFRecord format: CRC-32C, rotated and shifted.

    Source: TensorFlow's description of the TFRecord format; polynomial of RFC 3720.
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


PLUGIN = NasBench101Reader()
