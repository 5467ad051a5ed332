"""Value objects to JSON text and back, steered by their type hints."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

# JSON has no NaN, and a database would turn one into NULL, which means "unknown" here.
_NOT_FINITE = ("nan", "inf", "-inf")


def dump(value: Any) -> str:
    """Write a value object as canonical JSON: equal values give equal text, in ASCII only."""
    return json.dumps(
        to_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True
    )


def parse(kind: type[T], text: str) -> T:
    """Read what `dump` wrote.

    Raises: ValueError, TypeError or KeyError when the text is no value of `kind`.
    """
    value: T = from_plain(kind, json.loads(text))
    return value


def to_plain(value: Any) -> Any:
    """Turn dataclasses, enums, tuples and mappings into what JSON knows; NaN becomes text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): to_plain(part) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def from_plain(kind: Any, data: Any) -> Any:
    """Build a value of type `kind`; a field that the data lacks takes its default."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return from_plain(_member(kind, data), data)
    if origin is tuple:
        return _tuple(get_args(kind), data)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        _, part = get_args(kind)
        return {str(name): from_plain(part, value) for name, value in data.items()}
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    return _scalar(kind, data)


def _scalar(kind: Any, data: Any) -> Any:
    if kind in (Any, object):
        return data
    if not _fits(kind, data):
        raise TypeError(f"expected {kind.__name__}, found {type(data).__name__}")
    return float(data) if kind is float else data


def _dataclass(kind: type, data: Any) -> Any:
    hints = _hints(kind)
    found = {}
    for field in fields(kind):
        if field.name in data:
            found[field.name] = from_plain(hints[field.name], data[field.name])
        elif field.default is MISSING and field.default_factory is MISSING:
            raise KeyError(field.name)
    return kind(**found)


def _tuple(kinds: tuple[Any, ...], data: Any) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise TypeError(f"expected a list, found {type(data).__name__}")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(from_plain(kinds[0], part) for part in data)
    return tuple(from_plain(kind, part) for kind, part in zip(kinds, data, strict=True))


def _member(union: Any, data: Any) -> Any:
    for kind in get_args(union):
        if _fits(kind, data):
            return kind
    raise TypeError(f"{type(data).__name__} is none of {union}")


def _fits(kind: Any, data: Any) -> bool:
    if kind is float:
        return data in _NOT_FINITE or _fits(int, data) or isinstance(data, float)
    if kind is int:
        return isinstance(data, int) and not isinstance(data, bool)
    if kind in (str, bool, NoneType):
        return isinstance(data, kind)
    if get_origin(kind) is tuple:
        return isinstance(data, list)
    enum = isinstance(kind, type) and issubclass(kind, Enum)
    return isinstance(data, str if enum else dict)


@lru_cache(maxsize=128)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
