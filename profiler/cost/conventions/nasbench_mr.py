"""NAS-Bench-MR's published FLOPs."""

from __future__ import annotations

from profiler.cost.conventions._convention import (
    Convention,
    Seen,
    elements_in,
    elements_out,
    has,
    macs,
)
from profiler.cost.steps import Step

_NORM = 2
_LINEAR = frozenset({"Gemm", "MatMul"})


def count(step: Step, seen: Seen) -> int:
    """MACs, two operations for each element of a batch normalisation, and the classifier's bias.

    A normalisation that an export folded into its convolution shows as that convolution's bias;
    the last convolution or linear layer is the classifier, whose bias is one.
    Source: 2,507 published rows.
    """
    op_type = step.node.op_type
    if op_type == "BatchNormalization":
        return _NORM * elements_in(step)
    if op_type in _LINEAR:
        return macs(step) + (elements_out(step) if has(step, 2) else 0)
    if op_type != "Conv" or not has(step, 2):
        return macs(step)
    if seen.ends_here(step):
        return macs(step) + elements_out(step)
    # A bias of zeros before a normalisation that was left in the file is the exporter's own.
    folded = seen.only_reader(step) != "BatchNormalization"
    return macs(step) + (_NORM * elements_out(step) if folded else 0)


PLUGIN = Convention(
    "nasbench-mr",
    "NAS-Bench-MR FLOPs",
    "multiply-accumulates, batch normalisation twice an element, and the classifier's bias",
    count,
    {
        "Conv": "a folded batch normalisation is two operations an element, the classifier's "
        "bias one",
        "BatchNormalization": "two operations an element",
        "Gemm": "the classifier's bias is added",
    },
)
