"""Candidates as numbers for predictors, the same way in every space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nasprof.predict._kept import Kept
from nasprof.search.structures._structure import structure_of
from nasprof.spaces._genes import canonical_forms, sample
from nasprof.spaces._space import Choice, Genes, Space

_SAMPLED = 500


@dataclass(frozen=True, slots=True)
class Encoded:
    """Candidates gene by gene, and how often each operation occurs.

    A gene that stands for a name is one-hot. One that stands for a number is a thermometer (a 1 for
    each smaller option), so that the squared distance of two values grows with the steps between
    them. Genes with the same choices of operations are counted together, because an operation costs
    about the same wherever it stands.
    Shapes: genes [n, a], counts [n, b], where b may be 0.
    """

    genes: NDArray[np.float64]
    counts: NDArray[np.float64]


def features(space: Space, candidates: Sequence[Genes]) -> NDArray[np.float64]:
    """Encode candidates for accuracy predictors: canonical genes, counts, the space's structure.

    Every kind of feature is scaled to a mean squared deviation of 1 over the space, so that none
    outweighs another by its number of columns.
    Shapes: [n, d].
    """
    scales = _scales(Kept(space))
    groups = _groups(space, candidates)
    return np.concatenate(
        [part / scale for part, scale in zip(groups, scales, strict=True)], axis=1
    )


def _groups(space: Space, candidates: Sequence[Genes]) -> list[NDArray[np.float64]]:
    forms = canonical_forms(space, candidates)
    encoded = encode(space, forms)
    groups = [encoded.genes, encoded.counts]
    if (structure := structure_of(space.name)) is not None:
        groups += structure.walks(gene_rows(space, forms))
    return groups


@lru_cache(maxsize=16)
def _scales(space: Kept[Space]) -> tuple[float, ...]:
    drawn = sample(space.value, _SAMPLED, np.random.default_rng(0))
    spreads = [float(group.var(axis=0).sum()) for group in _groups(space.value, drawn)]
    return tuple(spread**0.5 if spread > 0 else 1.0 for spread in spreads)


def gene_rows(space: Space, candidates: Sequence[Genes]) -> NDArray[np.int64]:
    """Genes as rows, for no candidates too.

    Shapes: [n, genes].
    """
    return np.asarray(candidates, dtype=np.int64).reshape(len(candidates), len(space.sizes))


def encode(space: Space, candidates: Sequence[Genes]) -> Encoded:
    """Encode genes as they are."""
    rows = gene_rows(space, candidates)
    parts = [_encoded(rows[:, place], options) for place, options in enumerate(space.choices)]
    empty = np.zeros((len(rows), 0))
    return Encoded(
        np.concatenate(parts, axis=1),
        np.concatenate([empty, *_counts(parts, space.choices)], axis=1),
    )


def _encoded(genes: NDArray[np.int64], options: Sequence[Choice]) -> NDArray[np.float64]:
    values = np.arange(len(options))
    if _is_scale(options):
        steps = genes[:, None] > values[None, :-1]
        # The whole way from one end to the other weighs as much as another name.
        return np.asarray(steps * np.sqrt(2 / max(len(options) - 1, 1)), dtype=np.float64)
    return np.asarray(genes[:, None] == values, dtype=np.float64)


def _counts(
    parts: Sequence[NDArray[np.float64]], choices: Sequence[Sequence[Choice]]
) -> list[NDArray[np.float64]]:
    alike: dict[tuple[Choice, ...], list[NDArray[np.float64]]] = {}
    for part, options in zip(parts, choices, strict=True):
        if not _is_scale(options):
            alike.setdefault(tuple(options), []).append(part)
    return [np.sum(group, axis=0) / np.sqrt(len(group)) for group in alike.values() if group[1:]]


def _is_scale(options: Sequence[Choice]) -> bool:
    numbers = [option for option in options if isinstance(option, int | float)]
    return len(numbers) == len(options) and numbers == sorted(numbers)
