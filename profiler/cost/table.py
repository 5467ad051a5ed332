"""Which rule counts which operator, and the class of arithmetic that it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from profiler.cost.call import Family, Rule
from profiler.cost.rules import (
    activation_ms,
    attention,
    convolution,
    einsum,
    elementwise,
    generation,
    indexing,
    layout,
    loss,
    matmul,
    movement,
    normalisation,
    pooling,
    quantisation,
    recurrent,
    reduction,
    resampling,
    selection,
    sequence,
    signal,
)


class Entry(NamedTuple):
    """A rule and its class, for example `convolution`."""

    kind: str
    rule: Rule


_STANDARD: Mapping[str, Family] = {
    "convolution": convolution.RULES,
    "matrix product": {**matmul.RULES, **einsum.RULES},
    "attention": attention.RULES,
    "recurrent": recurrent.RULES,
    "normalisation": normalisation.RULES,
    "elementwise": elementwise.RULES,
    "reduction": reduction.RULES,
    "pooling": pooling.RULES,
    "resampling": resampling.RULES,
    "quantisation": quantisation.RULES,
    "movement": {**movement.RULES, **indexing.RULES},
    "generation": generation.RULES,
    "signal": signal.RULES,
    "selection": selection.RULES,
    "sequence": sequence.RULES,
    "loss": loss.RULES,
}
_MICROSOFT: Mapping[str, Family] = {
    "convolution": convolution.MICROSOFT,
    "matrix product": matmul.MICROSOFT,
    "attention": attention.MICROSOFT,
    "recurrent": recurrent.MICROSOFT,
    "normalisation": normalisation.MICROSOFT,
    "elementwise": activation_ms.MICROSOFT,
    "reduction": reduction.MICROSOFT,
    "pooling": pooling.MICROSOFT,
    "resampling": resampling.MICROSOFT,
    "quantisation": quantisation.MICROSOFT,
    "movement": {**movement.MICROSOFT, **indexing.MICROSOFT},
    "generation": generation.MICROSOFT,
    "signal": signal.MICROSOFT,
}
_NCHWC_KINDS = {"Conv": "convolution", "Upsample": "resampling"}


def _entries(domain: str, families: Mapping[str, Family]) -> dict[tuple[str, str], Entry]:
    return {
        (domain, op_type): Entry(kind, rule)
        for kind, family in families.items()
        for op_type, rule in family.items()
    }


TABLE: Mapping[tuple[str, str], Entry] = {
    **_entries("", _STANDARD),
    **_entries("com.microsoft", _MICROSOFT),
    **_entries("ai.onnx.preview", {"attention": attention.PREVIEW}),
    **{
        ("com.microsoft.nchwc", name): Entry(
            _NCHWC_KINDS.get(name, "pooling" if name.endswith("Pool") else "movement"), rule
        )
        for name, rule in layout.NCHWC.items()
    },
}
