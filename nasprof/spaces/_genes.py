"""What is the same in every space: sampling, neighbours, mutation, crossover, encodings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nasprof.spaces._space import Batched, Enumerated, Genes, Repairing, Shaped, Space
from profiler.core.errors import InputError

_TRIES = 10_000
"""Draws in a row without one valid candidate before sampling gives up."""


def check(space: Space, genes: Sequence[int]) -> Genes:
    """Return the genes as a tuple after checking their count, range and validity.

    Raises: InputError naming what is wrong.
    """
    if len(genes) != len(space.sizes):
        raise InputError(f"{space.name} has {len(space.sizes)} genes, not {len(genes)}")
    for name, gene, size in zip(space.gene_names, genes, space.sizes, strict=True):
        if not 0 <= gene < size:
            raise InputError(f"gene {name} of {space.name} is {gene}; it must be 0..{size - 1}")
    found = tuple(int(gene) for gene in genes)
    if not space.valid(found):
        raise InputError(f"{list(found)} is not a valid architecture of {space.name}")
    return found


def input_shape(space: Space, genes: Genes) -> tuple[int, ...]:
    """The shape of one input of an architecture, without its batch dimension."""
    return space.shape_of(genes) if isinstance(space, Shaped) else space.input_shape


def sample(space: Space, count: int, rng: np.random.Generator) -> list[Genes]:
    """Draw valid candidates uniformly, with replacement.

    Where a space mends genes, its genes are drawn uniformly and then mended.
    Raises: InputError when the space has (next to) no valid candidates.
    """
    if isinstance(space, Enumerated):
        members = space.members()
        return [members[i] for i in rng.integers(len(members), size=count)]
    found: list[Genes] = []
    drawn = 0
    while len(found) < count:
        size = max(count - len(found), 64)
        found += _valid(space, rng.integers(0, space.sizes, size=(size, len(space.sizes))))
        if (drawn := drawn + size) > _TRIES and not found:
            raise InputError(f"space {space.name!r} has no valid candidate in {drawn} draws")
    return found[:count]


def sample_distinct(
    space: Space, count: int, rng: np.random.Generator, known: Iterable[Genes] = ()
) -> list[Genes]:
    """Draw candidates that are new and different in canonical form; fewer when the space runs out.

    The canonical forms in `known` count as seen.
    """
    seen = set(known)
    found: list[Genes] = []
    idle = 0
    while len(found) < count and idle < 100:
        before = len(found)
        drawn = sample(space, count, rng)
        for genes, form in zip(drawn, canonical_forms(space, drawn), strict=True):
            if form not in seen and len(found) < count:
                seen.add(form)
                found.append(genes)
        idle = 0 if len(found) > before else idle + 1
    return found


def canonical_forms(space: Space, candidates: Sequence[Genes]) -> list[Genes]:
    """The canonical form of each candidate, all at once where the space can."""
    if isinstance(space, Batched) and candidates:
        return list(map(tuple, space.canonical_rows(np.asarray(candidates)).tolist()))
    return [space.canonical(genes) for genes in candidates]


def distinct(space: Space, candidates: Sequence[Genes]) -> list[Genes]:
    """Keep the first candidate of every canonical form."""
    found: dict[Genes, Genes] = {}
    for genes, form in zip(candidates, canonical_forms(space, candidates), strict=True):
        found.setdefault(form, genes)
    return list(found.values())


def neighbours(space: Space, genes: Genes) -> list[Genes]:
    """All valid candidates that differ in one gene that matters, in gene order.

    Where a listed space (a table) holds no such member, its nearest members are returned.
    """
    form = space.canonical(genes)
    changed = dict.fromkeys(_mended(space, other) for other in _one_changed(space, genes))
    found = [other for other in changed if space.valid(other) and space.canonical(other) != form]
    return found or _nearest(space, genes)


def mutate(space: Space, genes: Genes, rng: np.random.Generator, changes: int = 1) -> Genes:
    """Change randomly chosen genes to other values; the result is valid and a different candidate.

    Falls back on a random neighbour when trial finds none, and on the parent when it has none.
    """
    form = space.canonical(genes)
    for _ in range(200):
        child = list(genes)
        for place in rng.choice(len(genes), size=min(changes, len(genes)), replace=False):
            if space.sizes[place] > 1:
                shift = int(rng.integers(1, space.sizes[place]))
                child[place] = (genes[place] + shift) % space.sizes[place]
        other = _mended(space, tuple(child))
        if space.valid(other) and space.canonical(other) != form:
            return other
    near = neighbours(space, genes)
    return near[int(rng.integers(len(near)))] if near else genes


def crossover(space: Space, a: Genes, b: Genes, rng: np.random.Generator) -> Genes:
    """Take each gene from one of two parents; the first parent when no valid child is found."""
    for _ in range(200):
        take = rng.random(len(a)) < 0.5
        mixed = tuple(x if first else y for x, y, first in zip(a, b, take, strict=True))
        child = _mended(space, mixed)
        if space.valid(child):
            return child
    return a


def one_hot(space: Space, candidates: Sequence[Genes]) -> NDArray[np.float32]:
    """Encode each gene as a row of zeros with a one at its value.

    Shapes: [n, sum(sizes)].
    """
    sizes = np.asarray(space.sizes)
    rows = np.asarray(candidates, dtype=np.int64).reshape(len(candidates), len(sizes))
    out = np.zeros((len(rows), int(sizes.sum())), dtype=np.float32)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    np.put_along_axis(out, rows + starts, 1.0, axis=1)
    return out


def numeric(space: Space, candidates: Sequence[Genes]) -> NDArray[np.float32]:
    """Encode each gene as the number that it stands for, or as itself where it stands for a name.

    Shapes: [n, genes].
    """
    rows = np.asarray(candidates, dtype=np.int64).reshape(len(candidates), len(space.sizes))
    out = np.empty(rows.shape, dtype=np.float32)
    for place, options in enumerate(space.choices):
        plain = all(isinstance(option, int | float) for option in options)
        values = np.asarray(options if plain else range(len(options)), dtype=np.float32)
        out[:, place] = values[rows[:, place]]
    return out


def space_size(space: Space) -> int:
    """How many genes there are within the sizes, or members where the space lists them."""
    if isinstance(space, Enumerated):
        return len(space.members())
    total = 1
    for size in space.sizes:
        total *= size
    return total


def _valid(space: Space, rows: NDArray[np.int64]) -> list[Genes]:
    if isinstance(space, Batched):
        return list(map(tuple, rows[space.valid_rows(rows)].tolist()))
    mended = (_mended(space, tuple(row)) for row in rows.tolist())
    return [genes for genes in mended if space.valid(genes)]


def _mended(space: Space, genes: Genes) -> Genes:
    return cast(Repairing, space).repair(genes) if _repairs(type(space)) else genes


@cache
def _repairs(kind: type) -> bool:
    # Asked for every gene that changes, and protocols are slow to check.
    return issubclass(kind, Repairing)


def _one_changed(space: Space, genes: Genes) -> Iterator[Genes]:
    for place, size in enumerate(space.sizes):
        for value in range(size):
            if value != genes[place]:
                yield (*genes[:place], value, *genes[place + 1 :])


def _nearest(space: Space, genes: Genes, most: int = 24) -> list[Genes]:
    if not isinstance(space, Enumerated):
        return []
    form = space.canonical(genes)
    members = [other for other in space.members() if space.canonical(other) != form]
    if not members:
        return []
    rows = np.asarray(members)
    apart = (rows != np.asarray(genes)).sum(axis=1)
    spread = np.abs(rows - np.asarray(genes)) / np.asarray(space.sizes)
    order = np.lexsort((spread.sum(axis=1), apart))[:most]
    return [members[i] for i in order]
