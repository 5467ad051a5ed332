"""Predictors in files: JSON with the data that they were fitted to, never code.

A file holds the training rows and the settings; opening it fits the predictor again, which gives
the same one. So there is nothing to unpickle and nothing that hangs on a library's version.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from nasprof.predict._metrics import Errors
from profiler.core.errors import InputError
from profiler.core.plain import from_plain, to_plain

FORMAT = "nasprof-predictor-1"
KINDS = ("genes", "operators", "columns", "transfer")
_MOST_BYTES = 256 << 20
_MOST_ROWS = 200_000
_MOST = 1e30
"""No cost and no feature is as large; squares of larger ones would be infinite."""


@dataclass(frozen=True, slots=True)
class Saved:
    """All that a predictor is made of, and where it comes from.

    `kind` says what `rows` hold: features from genes, features of operators, or genes of the new
    device's measurements beside the smoothed `known` devices.
    Shapes: rows [n][d], values [n], groups [n]. Unit: `unit` is that of the values.
    """

    kind: str
    metric: str
    target: str
    unit: str
    space: str | None
    environment: str | None
    machine: str | None
    created_at: str
    source: str
    left_out: int
    seed: int
    columns: tuple[str, ...]
    widths: tuple[int, ...]
    rows: tuple[tuple[float, ...], ...]
    values: tuple[float, ...]
    groups: tuple[int, ...]
    labels: tuple[str, ...]
    heldout: Errors | None
    known: tuple[tuple[str, tuple[float, ...]], ...] = ()
    known_genes: tuple[tuple[int, ...], ...] = ()


def default_folder() -> Path:
    """Where predictors are kept unless the person says otherwise."""
    return Path(platformdirs.user_data_dir("nasprof", appauthor=False)) / "predictors"


def save(saved: Saved, path: Path) -> None:
    """Write a predictor, whole or not at all.

    Raises: InputError when the folder cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"format": FORMAT, **to_plain(saved)}) + "\n")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def load(path: Path) -> Saved:
    """Read a predictor.

    Raises: InputError when there is none, or the file is not one or does not hold together.
    """
    if not path.is_file():
        raise InputError(f"there is no predictor {path}; make one with nasprof predict fit")
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path} is larger than any predictor")
    try:
        data: Any = json.loads(path.read_bytes(), parse_constant=_refuse)
        if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
            raise InputError(f"{path} is no predictor of this version; make one with predict fit")
        saved: Saved = from_plain(Saved, data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} is no predictor: {text}") from None
    _check(saved, path)
    return saved


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is no number here")


def _check(saved: Saved, path: Path) -> None:
    count = len(saved.rows)
    alike = {len(saved.values), len(saved.groups), len(saved.labels), count} == {count}
    wide = {len(row) for row in saved.rows} <= {len(saved.columns)}
    genes = {len(row) for row in saved.known_genes} <= {len(saved.columns)}
    known = {len(values) for _, values in saved.known} <= {len(saved.known_genes)}
    every = (*saved.values, *(value for _, values in saved.known for value in values))
    positive = all(isfinite(value) and 0 < value < _MOST for value in every)
    finite = wide and count > 0 and bool(np.all(np.abs(np.array(saved.rows)) < _MOST))
    summed = saved.kind == "transfer" or sum(saved.widths) == len(saved.columns)
    whole = saved.kind != "transfer" or (saved.known and saved.space is not None)
    sound = alike and wide and genes and known and positive and finite and summed and whole
    if (
        saved.kind not in KINDS
        or not sound
        or count > _MOST_ROWS
        or min(saved.widths, default=0) < 0
    ):
        raise InputError(f"{path} is no predictor: its parts do not fit together")
