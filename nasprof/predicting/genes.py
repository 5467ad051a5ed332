"""Candidates of a space as features for cost predictors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasprof.predict._predictor import Array
from nasprof.predict._transfer_basis import Parts
from nasprof.search.features import encode, gene_rows
from nasprof.search.structures._structure import structure_of
from nasprof.spaces._genes import canonical_forms
from nasprof.spaces._space import Genes, Space


def parts_of(space: Space, candidates: Sequence[Genes]) -> Parts:
    """Operations counted as they are and without dead ones, and genes as they are and canonical.

    Runtimes that drop dead branches follow the live counts, those that run everything the plain
    ones.
    """
    plain = encode(space, candidates)
    canonical = encode(space, canonical_forms(space, candidates))
    live = canonical.counts
    if (structure := structure_of(space.name)) is not None:
        live = structure.live_counts(gene_rows(space, candidates))
    return Parts(plain.counts, live, plain.genes, canonical.genes)


def grouped(parts: Parts) -> tuple[Array, tuple[int, ...]]:
    """The groups side by side, with the columns of each; groups without columns are left out."""
    groups = [g for g in (parts.plain, parts.live, parts.genes) if g.shape[1]]
    return np.concatenate(groups, axis=1), tuple(group.shape[1] for group in groups)
