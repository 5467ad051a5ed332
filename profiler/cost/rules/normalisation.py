"""Normalisations and softmax: operations an element, and a few for each group that is normalised.

Mean, difference, square, variance and the product with the reciprocal root are five an element;
scale and shift one each. A group adds two divisions, the epsilon, a root and a reciprocal.
"""

from __future__ import annotations

from functools import partial

from profiler.cost.call import IN_PLACE, Call, Family, Result, axis_of, of
from profiler.cost.rules.elementwise import SWISH
from profiler.cost.values import FLOAT, INT32, Shape, Type, Value, size

_MOMENTS, _GROUP = 5, 5
_RMS, _RMS_GROUP = 3, 4
_SOFTMAX = 5


def batch_norm(call: Call) -> Result:
    """BatchNormalization: a product and a sum an element; four more for statistics in training."""
    x = call.tensor(0)
    training = call.integer("training_mode") or (call.opset < 14 and call.outputs > 1)
    statistics = Type(call.dtype(3) if call.has(3) else call.dtype(), (call.shape(0)[1],))
    outputs: tuple[Value | None, ...] = (x, *(statistics,) * (call.outputs - 1))
    return Result(outputs, flops=size(call.shape(0)) * (6 if training else 2), reuse=IN_PLACE)


def instance_norm(call: Call) -> Result:
    """InstanceNormalization: one group for each sample and channel."""
    x = call.shape(0)
    return _normalised(call, size(x[:2]), _MOMENTS + 2, _GROUP)


def layer_norm(call: Call) -> Result:
    """LayerNormalization over the axes from `axis` on; may also give mean and inverse deviation."""
    x = call.shape(0)
    axis = axis_of(call.integer("axis", -1), len(x))
    found = _normalised(call, size(x[:axis]), _MOMENTS + call.has(1) + call.has(2), _GROUP)
    moments = Type(FLOAT, (*x[:axis], *(1,) * (len(x) - axis)))
    outputs = (call.tensor(0), moments, moments)
    return found._replace(outputs=outputs[: call.outputs])


def rms_norm(call: Call) -> Result:
    """RMSNormalization and SimplifiedLayerNormalization: as layer_norm without mean and shift."""
    x = call.shape(0)
    axis = axis_of(call.integer("axis", -1), len(x))
    found = _normalised(call, size(x[:axis]), _RMS + call.has(1), _RMS_GROUP)
    moments = Type(FLOAT, (*x[:axis], *(1,) * (len(x) - axis)))
    return found._replace(outputs=(call.tensor(0), moments)[: call.outputs])


def group_norm(call: Call) -> Result:
    """GroupNormalization: `num_groups` groups a sample."""
    groups = call.shape(0)[0] * call.integer("num_groups", 1)
    return _normalised(call, groups, _MOMENTS + 2, _GROUP)


def group_norm_ms(call: Call) -> Result:
    """GroupNorm and SkipGroupNorm of com.microsoft: channels last, with SiLU where asked."""
    x = call.shape(0)
    skips = call.has(3) + call.has(4)
    each = _MOMENTS + 2 + skips + (SWISH if call.integer("activation") else 0)
    found = _normalised(call, x[0] * call.integer("groups", 1), each, _GROUP)
    return found._replace(outputs=(call.tensor(0),) * call.outputs)


def mean_variance(call: Call) -> Result:
    """MeanVarianceNormalization over `axes` (0, 2, 3 by default)."""
    x = call.shape(0)
    axes = {axis_of(axis, len(x)) for axis in call.integers("axes") or (0, 2, 3)}
    groups = size(tuple(dim for axis, dim in enumerate(x) if axis not in axes))
    return _normalised(call, groups, _MOMENTS, _GROUP)


def lp_norm(call: Call) -> Result:
    """LpNormalization: power, sum and division an element, a root for each vector."""
    x = call.shape(0)
    axis = axis_of(call.integer("axis", -1), len(x))
    return _normalised(call, size(x[:axis] + x[axis + 1 :]), 3, 1)


def local_response(call: Call) -> Result:
    """LRN: square, `size` - 1 additions, two for alpha and bias, a power and a division."""
    return _normalised(call, 0, call.integer("size", 1) + 4, 0)


def softmax(call: Call, weight: int = _SOFTMAX) -> Result:
    """Softmax, LogSoftmax: largest, difference, exponential, sum, division an element."""
    return Result((call.tensor(0),), flops=weight * size(call.shape(0)), reuse=IN_PLACE)


def bias_softmax(call: Call) -> Result:
    """BiasSoftmax: an addition before the softmax."""
    return softmax(call, _SOFTMAX + 1)


def skip_layer_norm(call: Call) -> Result:
    """SkipLayerNormalization: the sum with a skip (and a bias) first, which is an output too."""
    each = _MOMENTS + 1 + call.has(2) + call.has(3) + call.has(4)
    return _skip(call, each, _GROUP)


def skip_rms_norm(call: Call) -> Result:
    """SkipSimplifiedLayerNormalization: as skip_layer_norm without mean and shift."""
    return _skip(call, _RMS + 2 + call.has(3), _RMS_GROUP)


def _skip(call: Call, each: int, group: int) -> Result:
    x = call.shape(0)
    found = _normalised(call, size(x[:-1]), each, group)
    moments = Type(FLOAT, (*x[:-1], 1))
    outputs = (call.tensor(0), moments, moments, call.tensor(0))
    return found._replace(outputs=outputs[: call.outputs])


def embed_layer_norm(call: Call) -> Result:
    """EmbedLayerNormalization: the sum of two or three embeddings, normalised.

    Shapes: ids [B, T], tables [*, H], output [B, T, H] and mask counts [B].
    """
    batch, steps = call.shape(0)
    dtype = call.dtype(2)
    out: Shape = (batch, steps, call.shape(2)[1])
    elements = size(out)
    outputs = (Type(dtype, out), Type(INT32, (batch,)), Type(dtype, out))
    used = elements * (2 + call.has(1)) * 4
    return Result(
        outputs[: call.outputs],
        flops=elements * (_MOMENTS + 3 + call.has(1)) + batch * steps * _GROUP,
        read=used,
    )


def _normalised(call: Call, groups: int, each: int, group: int) -> Result:
    return Result(
        of(call.dtype(), call.shape(0)), flops=size(call.shape(0)) * each + groups * group
    )


RULES: Family = {
    "BatchNormalization": batch_norm,
    "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm,
    "GroupNormalization": group_norm,
    "RMSNormalization": rms_norm,
    "SimplifiedLayerNormalization": rms_norm,
    "MeanVarianceNormalization": mean_variance,
    "LpNormalization": lp_norm,
    "LRN": local_response,
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "Hardmax": partial(softmax, weight=1),
}
MICROSOFT: Family = {
    "SkipLayerNormalization": skip_layer_norm,
    "SkipSimplifiedLayerNormalization": skip_rms_norm,
    "EmbedLayerNormalization": embed_layer_norm,
    "BiasSoftmax": bias_softmax,
    "GroupNorm": group_norm_ms,
    "SkipGroupNorm": group_norm_ms,
}
