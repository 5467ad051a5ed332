"""fvcore's FlopCountAnalysis, which timm's tables use."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from profiler.cost.conventions._convention import (
    Convention,
    Seen,
    attributes,
    elements_in,
    elements_out,
    has,
    macs,
)
from profiler.cost.steps import Step

_AFFINE_NORM, _PLAIN_NORM, _BATCH_NORM = 5, 4, 2


def count(step: Step, seen: Seen) -> int:
    """One operation a MAC; normalisation, average pooling and resizing by the element.

    Limits: attention counts when it is written as matrix products, as timm's tables have it; the
    fused operator of torch counts as nothing. Batch normalisation that an export has folded into a
    convolution is gone.
    Source: fvcore/nn/flop_count.py and jit_handles.py, fvcore 0.1.5.
    """
    rule = _RULES.get(step.node.op_type)
    return macs(step) if rule is None else rule(step)


def _norm(step: Step) -> int:
    return (_AFFINE_NORM if has(step, 1) else _PLAIN_NORM) * elements_in(step)


def _batch_norm(step: Step) -> int:
    if attributes(step).integer("training_mode"):
        return _norm(step)
    return _BATCH_NORM * elements_in(step)


def _resize(step: Step) -> int:
    mode = attributes(step).text("mode", "nearest")
    return elements_out(step) * {"nearest": 1, "linear": 4}.get(mode, 0)


_RULES: Mapping[str, Callable[[Step], int]] = {
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _norm,
    "GroupNormalization": _norm,
    "InstanceNormalization": _norm,
    "GlobalAveragePool": elements_in,
    "Resize": _resize,
    "Upsample": _resize,
    "GridSample": lambda step: 4 * elements_out(step),
    "LSTM": lambda step: 0,
    "GRU": lambda step: 0,
    "RNN": lambda step: 0,
}

PLUGIN = Convention(
    "fvcore",
    "fvcore FLOPs",
    "multiply-accumulates, and normalisation, average pooling and resizing by the element",
    count,
    {
        "BatchNormalization": "two operations an element",
        "LayerNormalization": "five operations an element (four without scale and shift)",
        "GroupNormalization": "five operations an element",
        "InstanceNormalization": "five operations an element",
        "GlobalAveragePool": "one operation an input element",
        "Resize": "four operations an output element when linear, one when nearest",
        "Upsample": "four operations an output element when linear, one when nearest",
        "GridSample": "four operations an output element",
        "LSTM": "not known to fvcore, counted as nothing",
        "GRU": "not known to fvcore, counted as nothing",
        "RNN": "not known to fvcore, counted as nothing",
    },
)
