"""Fourier transforms and what belongs to them.

A transform of n points is counted as 5 n log2 n operations, the usual figure for a fast one, and
half of it where input or output is real.
"""

from __future__ import annotations

from math import ceil, log2

from profiler.cost.call import Call, Family, Result, axis_of, of
from profiler.cost.values import FLOAT, UNKNOWN, size


def transform_flops(points: int, real: bool) -> int:
    """Operations of one fast transform."""
    if points is UNKNOWN:
        return UNKNOWN
    flops = ceil(5 * points * log2(points)) if points > 1 else 0
    return flops // 2 if real else flops


def dft(call: Call) -> Result:
    """DFT along an axis; the last axis holds the real and imaginary part.

    Shapes: x [..., n, ..., 1 or 2], output [..., n or n // 2 + 1, ..., 2].
    """
    x = call.shape(0)
    axis = axis_of(_axis(call), len(x))
    onesided, inverse = call.integer("onesided"), call.integer("inverse")
    # Half a spectrum of n // 2 + 1 bins goes back to an even number of points.
    natural = 2 * (x[axis] - 1) if onesided and inverse else x[axis]
    points = int(call.needed(1).ravel()[0]) if call.has(1) else natural
    length = points // 2 + 1 if onesided and not inverse else points
    last = 1 if onesided and inverse else 2
    out = (*x[:axis], length, *x[axis + 1 : -1], last)
    transforms = size(x[:axis] + x[axis + 1 : -1])
    real = bool(onesided) or (x[-1] is not UNKNOWN and x[-1] == 1)
    return Result(of(call.dtype(), out), flops=transforms * transform_flops(points, real))


def _axis(call: Call) -> int:
    if call.opset < 20:
        return call.integer("axis", 1)
    return int(call.needed(2).ravel()[0]) if call.has(2) else -2


def stft(call: Call) -> Result:
    """STFT: windows of a signal, each multiplied by the window function and transformed.

    Shapes: signal [N, length, 1 or 2], output [N, frames, bins, 2].
    """
    x = call.shape(0)
    step = int(call.needed(1).ravel()[0])
    length = int(call.needed(3).ravel()[0]) if call.has(3) else call.shape(2)[0]
    frames = (x[1] - length) // step + 1
    onesided = call.integer("onesided", 1)
    bins = length // 2 + 1 if onesided else length
    real = len(x) < 3 or x[2] == 1
    each = transform_flops(length, real) + (length if call.has(2) else 0)
    return Result(of(call.dtype(), (x[0], frames, bins, 2)), flops=x[0] * frames * each)


def window_function(call: Call) -> Result:
    """HannWindow, HammingWindow, BlackmanWindow: a cosine, a product, a sum for each term."""
    length = int(call.needed(0).ravel()[0])
    terms = 2 if call.op_type == "BlackmanWindow" else 1
    return Result(of(call.integer("output_datatype", FLOAT), (length,)), flops=4 * terms * length)


def mel_weights(call: Call) -> Result:
    """MelWeightMatrix [dft_length // 2 + 1, mel bins]: made once, its arithmetic is not counted."""
    bins, length = int(call.needed(0).ravel()[0]), int(call.needed(1).ravel()[0])
    return Result(of(call.integer("output_datatype", FLOAT), (length // 2 + 1, bins)))


def rfft(call: Call) -> Result:
    """Rfft of com.microsoft over the last `signal_ndim` axes."""
    x = call.shape(0)
    points = size(x[-call.integer("signal_ndim", 1) :])
    out = (*x[:-1], x[-1] // 2 + 1, 2)
    return Result(of(call.dtype(), out), flops=size(x) // points * transform_flops(points, True))


def irfft(call: Call) -> Result:
    """Irfft of com.microsoft, the inverse of rfft."""
    x = call.shape(0)
    out = (*x[:-2], (x[-2] - 1) * 2)
    points = size(out[-call.integer("signal_ndim", 1) :])
    return Result(of(call.dtype(), out), flops=size(out) // points * transform_flops(points, True))


RULES: Family = {
    "DFT": dft,
    "STFT": stft,
    "HannWindow": window_function,
    "HammingWindow": window_function,
    "BlackmanWindow": window_function,
    "MelWeightMatrix": mel_weights,
}
MICROSOFT: Family = {"Rfft": rfft, "Irfft": irfft}
