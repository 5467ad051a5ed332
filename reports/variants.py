"""A model at a smaller precision beside the same at fp32: is it worth having?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reports.rows import Row

# Options of a target that say how its model was quantised; fp32 has none of them.
_QUANTISING = ("calibration=", "quantization=", "data=")
_FULL = "fp32"


def beside_fp32(rows: Sequence[Row]) -> list[Row]:
    """Give every measured row its latency as a share of the same model's, target's and batch's.

    The newest row at fp32 counts, the first one in `rows`.
    """
    full: dict[tuple[object, ...], float] = {}
    for row in rows:
        if row.precision == _FULL and row.median_ns is not None:
            full.setdefault(_place(row), row.median_ns)
    return [
        row
        if row.precision == _FULL
        or row.median_ns is None
        or (base := full.get(_place(row))) is None
        else replace(row, fp32_ratio=row.median_ns / base)
        for row in rows
    ]


def _place(row: Row) -> tuple[object, ...]:
    options = [part for part in row.options.split("/") if part and not part.startswith(_QUANTISING)]
    return (
        row.model_sha256, row.runtime, row.device, row.threads, tuple(options), row.batch,
        row.streams, row.dims, row.plan_key, row.environment_key,
    )  # fmt: skip
