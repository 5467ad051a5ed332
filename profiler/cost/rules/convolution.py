"""Convolutions, their transposed, deformable, integer and fused forms.

Every form costs output elements x input channels of a group x kernel elements; the transposed one
costs input elements x output channels of a group x kernel elements. Padding is not subtracted.
"""

from __future__ import annotations

from typing import NamedTuple

from profiler.cost.call import Call, Family, Result, of
from profiler.cost.rules.elementwise import SIGMOID, UNARY
from profiler.cost.values import INT32, UNKNOWN, Shape, size

REQUANTISE = 5


class Window(NamedTuple):
    """How a kernel moves over the spatial axes of its input."""

    kernel: Shape
    strides: Shape
    dilations: Shape
    pads: Shape


def window(call: Call, kernel: Shape) -> Window:
    """Read strides, dilations and pads, with the defaults of ONNX."""
    rank = len(kernel)
    return Window(
        kernel,
        call.integers("strides") or (1,) * rank,
        call.integers("dilations") or (1,) * rank,
        call.integers("pads") or (0,) * (2 * rank),
    )


def slid(call: Call, spatial: Shape, w: Window, ceil: bool = False) -> Shape:
    """The number of places of the window along each axis.

    Source: ONNX operators Conv and MaxPool; with `ceil` no window starts in the padding at the end.
    """
    auto = call.text("auto_pad", "NOTSET")
    out = []
    for axis, length in enumerate(spatial):
        extent = (w.kernel[axis] - 1) * w.dilations[axis] + 1
        stride = w.strides[axis]
        if auto.startswith("SAME"):
            out.append((length + stride - 1) // stride)
            continue
        begin, end = w.pads[axis], w.pads[axis + len(spatial)]
        if auto == "VALID":
            begin = end = 0
        span = length + begin + end - extent
        places = (-(-span // stride) if ceil else span // stride) + 1
        if ceil and places is not UNKNOWN and (places - 1) * stride >= length + begin:
            places -= 1
        if places is not UNKNOWN and places < 1:
            raise ValueError("a window larger than its input")
        out.append(places)
    return tuple(out)


def conv(call: Call) -> Result:
    """Conv and FusedConv (with an activation and an addend).

    Shapes: x [N, C, *S], w [M, C / group, *K], y [N, M, *T].
    """
    return _conv(call, call.shape(0), call.shape(1), call.dtype(), bias=2)


def conv_integer(call: Call) -> Result:
    """ConvInteger: zero points are subtracted from every input and weight."""
    return _conv(call, call.shape(0), call.shape(1), INT32)


def qlinear_conv(call: Call) -> Result:
    """QLinearConv: every output is scaled, rounded, shifted and limited."""
    return _conv(call, call.shape(0), call.shape(3), call.dtype(7), bias=8, extra=REQUANTISE)


def qlinear_conv_ms(call: Call) -> Result:
    """QLinearConv of com.microsoft, which may have the channels last."""
    last = bool(call.integer("channels_last"))
    return _channels_last(call, 3, call.dtype(7), 8, REQUANTISE, last)


def nhwc_conv(call: Call) -> Result:
    """NhwcConv and NhwcFusedConv: channels last, weights as in Conv."""
    return _channels_last(call, 1, call.dtype(), 2, 0, last=True)


def _channels_last(
    call: Call, weight: int, dtype: int, bias: int, extra: int, last: bool
) -> Result:
    x = call.shape(0)
    if not last:
        return _conv(call, x, call.shape(weight), dtype, bias, extra)
    w = call.shape(weight)
    found = _conv(call, (x[0], x[-1], *x[1:-1]), w, dtype, bias, extra)
    spatial = slid(call, x[1:-1], window(call, call.integers("kernel_shape") or w[2:]))
    return found._replace(outputs=of(dtype, (x[0], *spatial, w[0])))


def _conv(
    call: Call, x: Shape, w: Shape, dtype: int, bias: int | None = None, extra: int = 0
) -> Result:
    if len(x) != len(w):
        raise ValueError("input and weight of different rank")
    kernel = call.integers("kernel_shape") or w[2:]
    y = (x[0], w[0], *slid(call, x[2:], window(call, kernel)))
    elements = size(y)
    each = extra + (bias is not None and call.has(bias)) + activation(call)
    if bias == 2 and call.has(3):
        each += 1
    return Result(of(dtype, y), macs=elements * w[1] * size(kernel), flops=elements * each)


def activation(call: Call) -> int:
    """The operations an element of a fused activation."""
    name = call.text("activation")
    return SIGMOID if name == "Sigmoid" else 2 if name == "Clip" else UNARY.get(name, 0)


def conv_transpose(call: Call) -> Result:
    """ConvTranspose, counted from its input elements.

    Shapes: x [N, C, *S], w [C, M / group, *K], y [N, M, *T].
    """
    x, w = call.shape(0), call.shape(1)
    kernel = call.integers("kernel_shape") or w[2:]
    y = (x[0], w[1] * call.integer("group", 1), *_spread(call, x[2:], window(call, kernel)))
    return Result(
        of(call.dtype(), y),
        macs=size(x) * w[1] * size(kernel),
        flops=size(y) if call.has(2) else 0,
    )


def _spread(call: Call, spatial: Shape, w: Window) -> Shape:
    if given := call.integers("output_shape"):
        return given[-len(spatial) :]
    extra = call.integers("output_padding") or (0,) * len(spatial)
    auto = call.text("auto_pad", "NOTSET")
    out = []
    for axis, length in enumerate(spatial):
        if auto.startswith("SAME"):
            out.append(length * w.strides[axis])
            continue
        pads = 0 if auto == "VALID" else w.pads[axis] + w.pads[axis + len(spatial)]
        extent = (w.kernel[axis] - 1) * w.dilations[axis] + 1
        out.append((length - 1) * w.strides[axis] + extra[axis] + extent - pads)
    return tuple(out)


def deform_conv(call: Call) -> Result:
    """DeformConv: a convolution of samples; a bilinear sample of 2 axes is 7 operations.

    Shapes: as Conv; the offset [N, groups * taps * axes, *T] moves every tap of every output.
    """
    x, w = call.shape(0), call.shape(1)
    found = _conv(call, x, w, call.dtype(), bias=3)
    taps = x[0] * size(call.shape(2)[2:]) * size(w[2:])
    samples = taps * x[1] * (2 ** (len(w) - 1) - 1 + call.has(4))
    moves = taps * call.integer("offset_group", 1) * (len(w) - 2)
    return found._replace(flops=found.flops + samples + moves)


def causal_conv(call: Call) -> Result:
    """CausalConvWithState: a depthwise convolution over time that carries its last inputs on.

    Shapes: x [N, C, T], w [C, 1, K], state [N, C, K - 1].
    """
    x, w = call.shape(0), call.shape(1)
    elements = size(x)
    act = SIGMOID + 1 if call.text("activation", "none").lower() in ("silu", "swish") else 0
    state = of(call.dtype(), (x[0], x[1], w[2] - 1))
    outputs = (*of(call.dtype(), x), *state)
    return Result(
        outputs[: call.outputs], macs=elements * w[2], flops=elements * (call.has(2) + act)
    )


RULES: Family = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "ConvInteger": conv_integer,
    "QLinearConv": qlinear_conv,
    "DeformConv": deform_conv,
    "CausalConvWithState": causal_conv,
}
MICROSOFT: Family = {
    "FusedConv": conv,
    "NhwcConv": nhwc_conv,
    "NhwcFusedConv": nhwc_conv,
    "QLinearConv": qlinear_conv_ms,
    "ConvTransposeWithDynamicPads": conv_transpose,
    "CausalConvWithState": causal_conv,
}
