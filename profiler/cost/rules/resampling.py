"""Resizing and sampling: a weighted sum of neighbours for each output element.

A linear sample of n axes is 2^n products and 2^n - 1 additions, a cubic one 4^n and 4^n - 1; a
nearest one is a copy.
"""

from __future__ import annotations

from math import floor

from profiler.cost.call import Call, Family, Result, axis_of, of
from profiler.cost.values import UNKNOWN, Shape, size

_TAPS = {"linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}


def resize(call: Call) -> Result:
    """Resize and Upsample: to given sizes or by given scales; only axes that change cost."""
    x = call.shape(0)
    y = _resized(call, x)
    taps = _TAPS.get(call.text("mode", "nearest"), 0)
    changed = sum(
        before is not after and before != after for before, after in zip(x, y, strict=True)
    )
    each = 2 * taps**changed - 1 if taps and changed else 0
    return Result(of(call.dtype(), y), flops=size(y) * each)


def _resized(call: Call, x: Shape) -> Shape:
    axes = tuple(axis_of(axis, len(x)) for axis in call.integers("axes") or range(len(x)))
    y = list(x)
    sizes = call.integers("sizes") or (call.sizes(3) if call.has(3) else None)
    if sizes is not None:
        return _to_sizes(call, x, axes, sizes)
    # Opset 10 and Upsample have the scales as the second input, opset 11 on as the third.
    scales: tuple[float, ...] | None = call.integers("scales")
    if scales is None:
        scales = call.sizes(2 if call.opset > 10 and call.op_type == "Resize" else 1)
    for axis, scale in zip(axes, scales, strict=True):
        y[axis] = UNKNOWN if x[axis] is UNKNOWN or scale is UNKNOWN else floor(x[axis] * scale)
    return tuple(y)


def _to_sizes(call: Call, x: Shape, axes: tuple[int, ...], sizes: Shape) -> Shape:
    y = list(x)
    policy = call.text("keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        ratios = [wanted / x[axis] for axis, wanted in zip(axes, sizes, strict=True)]
        ratio = min(ratios) if policy == "not_larger" else max(ratios)
        sizes = tuple(floor(x[axis] * ratio + 0.5) for axis in axes)
    for axis, wanted in zip(axes, sizes, strict=True):
        y[axis] = wanted
    return tuple(y)


def grid_sample(call: Call) -> Result:
    """GridSample: samples at given places, each place scaled and shifted along every axis.

    Shapes: x [N, C, *S], grid [N, *T, axes], y [N, C, *T].
    """
    x, grid = call.shape(0), call.shape(1)
    axes = len(x) - 2
    taps = _TAPS.get(call.text("mode", "linear"), 0)
    y = (*x[:2], *grid[1:-1])
    each = 2 * taps**axes - 1 if taps else 0
    return Result(of(call.dtype(), y), flops=size(y) * each + 2 * size(grid))


def affine_grid(call: Call) -> Result:
    """AffineGrid: a small matrix product at every place, counted as FLOPs (it is no layer).

    Shapes: theta [N, axes, axes + 1], output [N, *S, axes].
    """
    n, _, *spatial = call.sizes(1)
    axes = len(spatial)
    y = (n, *spatial, axes)
    return Result(of(call.dtype(), y), flops=size(y) * 2 * axes)


def roi_align(call: Call) -> Result:
    """RoiAlign: `sampling_ratio`^2 bilinear samples an output element, then their mean.

    The adaptive ratio 0 depends on the data; it is counted as one sample.
    """
    x, rois = call.shape(0), call.shape(1)
    y = (rois[0], x[1], call.integer("output_height", 1), call.integer("output_width", 1))
    samples = max(call.integer("sampling_ratio"), 1) ** 2
    return Result(of(call.dtype(), y), flops=size(y) * 8 * samples)


def crop_and_resize(call: Call) -> Result:
    """CropAndResize: a bilinear sample for each output element."""
    x, rois = call.shape(0), call.shape(1)
    y = (rois[0], x[1], *call.sizes(3))
    return Result(of(call.dtype(), y), flops=size(y) * 7)


RULES: Family = {
    "Resize": resize,
    "Upsample": resize,
    "GridSample": grid_sample,
    "AffineGrid": affine_grid,
    "RoiAlign": roi_align,
}
MICROSOFT: Family = {"GridSample": grid_sample, "CropAndResize": crop_and_resize}
