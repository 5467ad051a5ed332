"""Losses of training graphs."""

from __future__ import annotations

from profiler.cost.call import Call, Family, Result
from profiler.cost.values import Shape, Type, size

_SOFTMAX = 5


def negative_log_likelihood(call: Call) -> Result:
    """NegativeLogLikelihoodLoss: a negation (and a weight) for each target, then the reduction.

    Shapes: scores [N, C, *S], target [N, *S].
    """
    target = call.shape(1)
    out, reduced = _reduced(call, target)
    each = 1 + call.has(2) + reduced
    return Result((Type(call.dtype(), out),), flops=size(target) * each)


def softmax_cross_entropy(call: Call) -> Result:
    """SoftmaxCrossEntropyLoss: a log-softmax of the scores, then as NegativeLogLikelihoodLoss."""
    scores, target = call.shape(0), call.shape(1)
    out, reduced = _reduced(call, target)
    flops = size(scores) * _SOFTMAX + size(target) * (1 + call.has(2) + reduced)
    outputs = (Type(call.dtype(), out), Type(call.dtype(), scores))
    return Result(outputs[: call.outputs], flops=flops)


def _reduced(call: Call, target: Shape) -> tuple[Shape, int]:
    return (target, 0) if call.text("reduction", "mean") == "none" else ((), 1)


RULES: Family = {
    "NegativeLogLikelihoodLoss": negative_log_likelihood,
    "SoftmaxCrossEntropyLoss": softmax_cross_entropy,
}
