"""Cache keys for objects that may not be hashable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Kept(Generic[T]):
    """An object as a key by identity; as long as the key lives, so does the object."""

    value: T

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kept) and other.value is self.value
