"""NAS-Bench-201's published FLOPs."""

from __future__ import annotations

from profiler.cost.conventions._convention import Convention, Seen, elements_out, has, macs
from profiler.cost.steps import Step


def count(step: Step, seen: Seen) -> int:
    """MACs of convolutions and of the linear layer, and the additions of the linear bias.

    Batch normalisation, pooling, additions and what an export adds as the bias of a folded
    normalisation are not counted.
    Source: the space's released cost function; 15,625 published rows.
    """
    bias = step.node.op_type == "Gemm" and has(step, 2)
    return macs(step) + (elements_out(step) if bias else 0)


PLUGIN = Convention(
    "nasbench201",
    "NAS-Bench-201 FLOPs",
    "multiply-accumulates and the linear layer's bias",
    count,
    {"Gemm": "the bias of the linear layer is added"},
)
