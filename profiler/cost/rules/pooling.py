"""Pooling: operations for each element of each window; padding is not subtracted."""

from __future__ import annotations

from profiler.cost.call import Call, Family, Result, of
from profiler.cost.rules.convolution import slid, window
from profiler.cost.values import INT64, Shape, Type, size


def max_pool(call: Call) -> Result:
    """MaxPool: k - 1 comparisons for a window of k; may give the places too."""
    y, taps = _pooled(call)
    outputs = (Type(call.dtype(), y), Type(INT64, y))
    return Result(outputs[: call.outputs], flops=size(y) * (taps - 1))


def average_pool(call: Call) -> Result:
    """AveragePool: k - 1 additions and a division for a window of k."""
    y, taps = _pooled(call)
    return Result(of(call.dtype(), y), flops=size(y) * taps)


def lp_pool(call: Call) -> Result:
    """LpPool: k powers, k - 1 additions and a root for a window of k."""
    y, taps = _pooled(call)
    return Result(of(call.dtype(), y), flops=size(y) * 2 * taps)


def global_pool(call: Call) -> Result:
    """GlobalAveragePool and GlobalMaxPool: one operation an input element (and a division)."""
    x = call.shape(0)
    y = (*x[:2], *(1,) * (len(x) - 2))
    division = size(y) if call.op_type == "GlobalAveragePool" else 0
    return Result(of(call.dtype(), y), flops=size(x) + division)


def global_lp_pool(call: Call) -> Result:
    """GlobalLpPool: a power and an addition an input element, and a root."""
    x = call.shape(0)
    y = (*x[:2], *(1,) * (len(x) - 2))
    return Result(of(call.dtype(), y), flops=2 * size(x) + size(y))


def max_unpool(call: Call) -> Result:
    """MaxUnpool: elements are put back where they came from, without arithmetic."""
    x = call.shape(0)
    if call.has(2):
        return Result(of(call.dtype(), call.sizes(2)))
    kernel = call.integers("kernel_shape") or ()
    w = window(call, kernel)
    spatial = tuple(
        (length - 1) * w.strides[axis] + w.kernel[axis] - w.pads[axis] - w.pads[axis + len(kernel)]
        for axis, length in enumerate(x[2:])
    )
    return Result(of(call.dtype(), (*x[:2], *spatial)))


def max_roi_pool(call: Call) -> Result:
    """MaxRoiPool: windows depend on the data; one comparison for each input element and region."""
    x, rois = call.shape(0), call.shape(1)
    y = (rois[0], x[1], *(call.integers("pooled_shape") or ()))
    return Result(of(call.dtype(), y), flops=rois[0] * size(x[1:]))


def nhwc_max_pool(call: Call) -> Result:
    """NhwcMaxPool: channels last."""
    x = call.shape(0)
    kernel = call.integers("kernel_shape") or ()
    w = window(call, kernel)
    y = (x[0], *slid(call, x[1:-1], w, bool(call.integer("ceil_mode"))), x[-1])
    return Result(of(call.dtype(), y), flops=size(y) * (size(kernel) - 1))


def _pooled(call: Call) -> tuple[Shape, int]:
    x = call.shape(0)
    last = bool(call.integer("channels_last"))
    spatial = x[1:-1] if last else x[2:]
    kernel = call.integers("kernel_shape")
    if kernel is None:
        raise ValueError("no kernel_shape")
    places = slid(call, spatial, window(call, kernel), bool(call.integer("ceil_mode")))
    return ((x[0], *places, x[-1]) if last else (*x[:2], *places)), size(kernel)


RULES: Family = {
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "LpPool": lp_pool,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "GlobalLpPool": global_lp_pool,
    "MaxUnpool": max_unpool,
    "MaxRoiPool": max_roi_pool,
}
MICROSOFT: Family = {"MaxpoolWithMask": max_pool, "NhwcMaxPool": nhwc_max_pool}
