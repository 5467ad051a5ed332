"""Layer-by-layer spaces: a row of stages where each layer chooses one block."""

from __future__ import annotations

from collections.abc import Sequence

from nasprof.spaces._picture import Picture, chain
from nasprof.spaces._space import Genes


def skips_last(genes: Genes, stages: Sequence[int], skip: int) -> Genes:
    """Move the layers that do nothing to the end of their stage.

    The first layer of a stage changes shape, so its skip is a layer of its own and stays. Layers
    that do nothing can stand anywhere behind it: the network is the same.
    """
    form: list[int] = []
    for layers in stages:
        first, *rest = genes[len(form) : len(form) + layers]
        kept = [gene for gene in rest if gene != skip]
        form += [first, *kept, *[skip] * (len(rest) - len(kept))]
    return tuple(form)


def stages_picture(ops: Sequence[str], stages: Sequence[int]) -> Picture:
    """The stages one below the other, the blocks of each in a row."""
    left = iter(ops)
    rows = ["  ".join(next(left) for _ in range(layers)) for layers in stages]
    return chain(["stem", *rows, "head"])
