"""A candidate of any search space: `nasbench201:857`, `nasbench201:|nor_conv_3x3~0|+...`."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nasprof.subjects._subject import Subject, image, shown
from profiler.core.errors import InputError
from profiler.core.plugins import load, names
from profiler.core.tensor import TensorSpec

if TYPE_CHECKING:
    from torch import nn

_SPACES = "nasprof.spaces"
_GENES = re.compile(r"[0-9]+(\.[0-9]+)+")


class _Space(Protocol):
    """The part of a search space that is needed here."""

    @property
    def name(self) -> str: ...
    @property
    def sizes(self) -> tuple[int, ...]: ...
    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def input_dtype(self) -> str: ...

    def valid(self, genes: tuple[int, ...]) -> bool: ...
    def parse(self, text: str) -> tuple[int, ...]: ...
    def describe(self, genes: tuple[int, ...]) -> str: ...
    def build(self, genes: tuple[int, ...]) -> nn.Module: ...


@dataclass(frozen=True, slots=True)
class SpaceSource:
    """Candidates by published text, by index, or by genes (`nasbench201:3.1.0.2.2.4`)."""

    example: str = "nasbench201:857"

    def claims(self, reference: str) -> bool:
        """References that begin with the name of a space."""
        return reference.partition(":")[0] in names(_SPACES) and ":" in reference

    def resolve(self, reference: str, inputs: tuple[TensorSpec, ...] | None) -> Subject:
        """Find a candidate.

        Raises: InputError when the space has none of that name.
        """
        name, _, candidate = reference.partition(":")
        space: _Space = load(_SPACES, name)
        return candidate_subject(space, candidate_genes(space, candidate), inputs)


def candidate_subject(
    space: _Space, genes: tuple[int, ...], inputs: tuple[TensorSpec, ...] | None = None
) -> Subject:
    """Refer to an architecture of a space, be it one of the project or a person's own."""
    return Subject(
        text=f"{space.name}:{_text(space, genes)}",
        inputs=inputs or (image(_shape(space, genes), dtype=space.input_dtype),),
        build=lambda seed: space.build(genes),
        source=_code(space),
    )


def candidate_genes(space: _Space, candidate: str) -> tuple[int, ...]:
    """Read an architecture from its published text, its index or its genes (`3.1.0.2.2.4`).

    Raises: InputError when the space has none of that name.
    """
    if not _GENES.fullmatch(candidate):
        return space.parse(candidate)
    genes = tuple(int(part) for part in candidate.split("."))
    fits = len(genes) == len(space.sizes) and all(
        gene < size for gene, size in zip(genes, space.sizes, strict=True)
    )
    if not fits or not space.valid(genes):
        raise InputError(f"{shown(candidate)} are not genes of an architecture of {space.name}")
    return genes


def _text(space: _Space, genes: tuple[int, ...]) -> str:
    index_of = getattr(space, "index_of", None)
    return str(index_of(genes)) if index_of else space.describe(genes)


def _shape(space: _Space, genes: tuple[int, ...]) -> tuple[int, ...]:
    shape_of = getattr(space, "shape_of", None)  # where the genes choose the resolution too
    return tuple(shape_of(genes)) if shape_of else space.input_shape


def _code(space: _Space) -> str:
    file = sys.modules[type(space).__module__].__file__
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else space.name


PLUGIN = SpaceSource()
