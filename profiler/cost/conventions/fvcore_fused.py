"""fvcore's FlopCountAnalysis of a network whose attention is one operator of torch."""

from __future__ import annotations

from profiler.cost.conventions import fvcore
from profiler.cost.conventions._convention import Convention, Seen
from profiler.cost.steps import Step

_REASON = "attention as one operator is not known to fvcore, counted as nothing"
_ATTENTION = frozenset({"Attention", "MultiHeadAttention", "GroupQueryAttention"})
_FUNCTION = "scaled_dot_product_attention"


def count(step: Step, seen: Seen) -> int:
    """As `fvcore`, without attention: what the tool reports since libraries call one operator.

    Limits: a file whose exporter wrote attention as matrix products does not tell that it was one.
    Source: fvcore/nn/flop_count.py, fvcore 0.1.5: no handle for scaled_dot_product_attention.
    """
    node = step.node
    if node.op_type in _ATTENTION or node.function == _FUNCTION:
        return 0
    return fvcore.count(step, seen)


PLUGIN = Convention(
    "fvcore-fused",
    "fvcore FLOPs",
    "as fvcore, with attention that is one operator of torch counted as nothing",
    count,
    {**fvcore.PLUGIN.reasons, **dict.fromkeys(("MatMul", *sorted(_ATTENTION)), _REASON)},
)
