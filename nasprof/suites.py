"""A suite file: which models are measured on which targets, at which batches and precisions."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporters.optimize import LEVELS, NONE
from profiler.core.errors import InputError
from profiler.core.target_text import PRECISIONS


@dataclass(frozen=True, slots=True)
class Suite:
    """What a suite file asks for: every model on every target at every batch and precision.

    `models` are ONNX files or subjects, `targets` as for `--on`. A batch of None is the
    model's own. `optimize` names how graphs are optimised before.
    """

    models: tuple[str, ...]
    targets: tuple[str, ...] = ("onnxruntime-cpu",)
    batches: tuple[int | None, ...] = (None,)
    precisions: tuple[str, ...] = ("fp32",)
    optimize: tuple[str, ...] = (NONE,)
    threads: tuple[int, ...] = (1,)
    dims: Mapping[str, int] = field(default_factory=dict)
    input_shape: tuple[int, ...] | None = None
    quick: bool = False
    seed: int = 0


def read_suite(path: Path) -> Suite:
    """Read a suite file (TOML); its ONNX files, and patterns such as `nets/*.onnx`, lie beside it.

    Raises: InputError naming the file, the key and what it should hold.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"suite {path} cannot be read: {error}") from error
    if unknown := sorted(content.keys() - _KEYS.keys()):
        raise InputError(f"suite {path} has no key {unknown[0]!r}; it has {', '.join(_KEYS)}")
    values = {}
    for name, value in content.items():
        read, form = _KEYS[name]
        try:
            values[name] = read(value)
        except ValueError as error:
            raise InputError(f"suite {path}: {name} = {value!r} is not {form}") from error
    if "models" not in values:
        raise InputError(f'suite {path} names no models; write models = ["net.onnx"]')
    return Suite(**{**values, "models": _models(path, values["models"])})


def _models(path: Path, written: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    for text in written:
        if not text.endswith(".onnx"):
            found.append(text)
            continue
        pattern = any(sign in text for sign in "*?[")
        files = sorted(path.parent.glob(text)) if pattern else [path.parent / text]
        if not files:
            raise InputError(f"suite {path}: no file is {text!r}")
        found += [str(file) for file in files]
    return tuple(dict.fromkeys(found))


def _texts(value: Any) -> tuple[str, ...]:
    if not (isinstance(value, list) and value and all(isinstance(v, str) and v for v in value)):
        raise ValueError
    return tuple(dict.fromkeys(value))


def _counts(value: Any) -> tuple[int, ...]:
    if not (isinstance(value, list) and value and all(_is_count(v, 1) for v in value)):
        raise ValueError
    return tuple(dict.fromkeys(value))


def _precisions(value: Any) -> tuple[str, ...]:
    found = _texts(value)
    if not set(found) <= set(PRECISIONS):
        raise ValueError
    return found


def _levels(value: Any) -> tuple[str, ...]:
    found = _texts(value)
    if not set(found) <= set(LEVELS):
        raise ValueError
    return found


def _dims(value: Any) -> dict[str, int]:
    if not (isinstance(value, dict) and all(_is_count(size, 1) for size in value.values())):
        raise ValueError
    return dict(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _seed(value: Any) -> int:
    if not _is_count(value, 0):
        raise ValueError
    return int(value)


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


_KEYS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "models": (_texts, 'a list of models such as ["net.onnx", "reference:resnet18"]'),
    "targets": (_texts, 'a list of targets such as ["onnxruntime-cpu"]'),
    "batches": (_counts, "a list of positive numbers such as [1, 8]"),
    "precisions": (_precisions, f"a list of precisions out of {', '.join(PRECISIONS)}"),
    "optimize": (_levels, f"a list of optimizations out of {', '.join(LEVELS)}"),
    "threads": (_counts, "a list of positive numbers such as [1, 2]"),
    "dims": (_dims, "a table of sizes such as {length = 128}"),
    "input_shape": (_counts, "a shape without the batch such as [3, 224, 224]"),
    "quick": (_flag, "true or false"),
    "seed": (_seed, "a number, 0 or more"),
}
