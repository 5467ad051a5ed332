"""What the cost of a candidate may depend on, in groups that a cost predictor weighs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nasprof.predict._kept import Kept
from nasprof.search.features import encode, gene_rows
from nasprof.search.structures._structure import structure_of
from nasprof.spaces._genes import canonical_forms, sample
from nasprof.spaces._space import Genes, Space

Array = NDArray[np.float64]
Elsewhere = Callable[[Sequence[Genes]], Array]
"""Costs of candidates on other targets, measured or predicted, above zero: [n, targets]."""

_SAMPLED = 500


@dataclass(frozen=True, slots=True)
class CostFeatures:
    """Features with the columns of each group; the last group is the genes themselves.

    Shapes: x [n, sum(widths)].
    """

    x: Array
    widths: tuple[int, ...]


def cost_features(
    space: Space, candidates: Sequence[Genes], elsewhere: Elsewhere | None = None
) -> CostFeatures:
    """Encode candidates: costs elsewhere, operations counted with and without dead ones, genes.

    Runtimes that drop dead branches follow the canonical counts, those that run everything the
    plain ones. Each group is centred and scaled to a mean squared length of 1 over the space.
    """
    groups = _scaled(space, candidates)
    if elsewhere is not None:
        groups = [*_other_targets(space, candidates, elsewhere), *groups]
    return CostFeatures(np.concatenate(groups, axis=1), tuple(g.shape[1] for g in groups))


def _scaled(space: Space, candidates: Sequence[Genes]) -> list[Array]:
    centres = _centres(Kept(space))
    return [
        (group - centre) / scale
        for group, (centre, scale) in zip(_groups(space, candidates), centres, strict=True)
    ]


def _groups(space: Space, candidates: Sequence[Genes]) -> list[Array]:
    plain = encode(space, candidates)
    live = encode(space, canonical_forms(space, candidates))
    counts = [part.counts for part in (plain, live) if part.counts.shape[1]]
    if (structure := structure_of(space.name)) is not None:
        counts = [*counts[:1], structure.live_counts(gene_rows(space, candidates))]
    return [*counts, live.genes, plain.genes] if not counts else [*counts, plain.genes]


def _other_targets(space: Space, candidates: Sequence[Genes], elsewhere: Elsewhere) -> list[Array]:
    """What the other targets agree on, and where each differs from that."""
    centre, scale = _levels(Kept(space), Kept(elsewhere))
    levels = (np.asarray(elsewhere(candidates)) - centre) / scale
    common = levels.mean(axis=1, keepdims=True)
    return [common, (levels - common) / np.sqrt(levels.shape[1])]


def _drawn(space: Space) -> list[Genes]:
    """A sample of the space that is always the same."""
    return sample(space, _SAMPLED, np.random.default_rng(0))


@lru_cache(maxsize=16)
def _levels(space: Kept[Space], elsewhere: Kept[Elsewhere]) -> tuple[Array, Array]:
    """Centre and scale of the costs on every other target."""
    levels = np.asarray(elsewhere.value(_drawn(space.value)))
    return levels.mean(axis=0), np.maximum(levels.std(axis=0), 1e-12)


@lru_cache(maxsize=16)
def _centres(kept: Kept[Space]) -> tuple[tuple[Array, Array], ...]:
    """Centre and scale of each group of features."""
    space = kept.value
    drawn = _drawn(space)
    found = []
    for group in _groups(space, drawn):
        centre = group.mean(axis=0)
        length = np.sqrt(((group - centre) ** 2).sum(axis=1).mean())
        found.append((centre, np.maximum(np.array(length), 1e-12)))
    return tuple(found)
