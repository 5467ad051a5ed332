"""The blocked channel layout that ONNX Runtime writes for x86 (domain com.microsoft.nchwc).

Tensors are padded to whole blocks of channels in memory. Shapes here are without the padding, and
the weights' were corrected when the model was read (see profiler.cost.blocked_channels), so that
the same network has the same cost in both layouts.
"""

from __future__ import annotations

from profiler.cost.call import Call, Family, Result, of
from profiler.cost.rules.convolution import activation, slid, window
from profiler.cost.rules.pooling import average_pool, global_pool, max_pool
from profiler.cost.rules.resampling import resize
from profiler.cost.values import size


def conv(call: Call) -> Result:
    """Conv with blocked channels, an optional bias, addend and activation."""
    x, w = call.shape(0), call.shape(1)
    kernel = call.integers("kernel_shape") or w[2:]
    y = (x[0], w[0], *slid(call, x[2:], window(call, kernel)))
    each = call.has(2) + call.has(3) + activation(call)
    if set(call.attributes) <= {"group", "auto_pad"} and size(w[1:]) == 1:
        # What was a BatchNormalization, or a Mul by channel and then without a bias, has no
        # attribute but its groups: a product and a sum.
        return Result(of(call.dtype(), y), flops=size(y) * (1 + call.has(2)))
    # Where all weights are zero, what is padding shows in the input's shape only.
    channels = min(w[1], x[1]) if call.integer("group", 1) == 1 else w[1]
    macs = size(y) * channels * size(kernel)
    return Result(of(call.dtype(), y), macs=macs, flops=size(y) * each)


def reorder_input(call: Call) -> Result:
    """ReorderInput: from NCHW or, where asked, from channels last."""
    x = call.shape(0)
    shape = (x[0], x[-1], *x[1:-1]) if call.integer("channels_last") else x
    return Result(of(call.dtype(), shape))


def reorder_output(call: Call) -> Result:
    """ReorderOutput: back to `channels` channels, first or last."""
    n, _, *spatial = call.shape(0)
    channels = call.integer("channels")
    if call.integer("channels_last"):
        return Result(of(call.dtype(), (n, *spatial, channels)))
    return Result(of(call.dtype(), (n, channels, *spatial)))


NCHWC: Family = {
    "Conv": conv,
    "ReorderInput": reorder_input,
    "ReorderOutput": reorder_output,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalMaxPool": global_pool,
    "GlobalAveragePool": global_pool,
    "Upsample": resize,
}
