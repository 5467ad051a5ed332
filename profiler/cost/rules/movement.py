"""Operators that move or rename data without arithmetic.

A change of shape alone is a view: it moves no bytes and takes no memory of its own.
"""

from __future__ import annotations

from profiler.cost.call import IN_PLACE, VIEW, Call, Family, Result, axis_of, of
from profiler.cost.values import UNKNOWN, Shape, Type, UnknownSize, broadcast, bytes_of, size


def view(call: Call, shape: Shape) -> Result:
    """The first input under another shape."""
    return Result(of(call.dtype(), shape), reuse=VIEW, read=0, written=0)


def reshape(call: Call) -> Result:
    """Reshape: 0 keeps a size (unless allowzero), -1 takes what is left."""
    target = list(call.sizes(1)) if call.has(1) else list(call.integers("shape") or ())
    x = call.tensor(0).shape
    if not call.integer("allowzero"):
        for axis, dim in enumerate(target):
            if dim is not UNKNOWN and dim == 0:
                target[axis] = x[axis] if x is not None else UNKNOWN
    free = [axis for axis, dim in enumerate(target) if dim is not UNKNOWN and dim == -1]
    if len(free) > 1:
        raise ValueError("two free sizes")
    if free:
        rest = size(tuple(target[: free[0]] + target[free[0] + 1 :]))
        target[free[0]] = UNKNOWN if x is None else _left(x, rest)
    elif x is not None and target.count(UNKNOWN) == 1:
        hole = target.index(UNKNOWN)
        target[hole] = _left(x, size(tuple(target[:hole] + target[hole + 1 :])))
    return view(call, tuple(target))


def _left(x: Shape, rest: int) -> int:
    whole = size(x)
    if whole is not UNKNOWN and rest is not UNKNOWN:
        if rest == 0:
            return 0
        if whole % rest:
            raise ValueError("sizes do not fit")
        return whole // rest
    return UNKNOWN


def flatten(call: Call) -> Result:
    """Flatten to a matrix at `axis`, which may be one past the last."""
    x = call.shape(0)
    axis = call.integer("axis", 1)
    axis = axis + len(x) if axis < 0 else axis
    return view(call, (size(x[:axis]), size(x[axis:])))


def squeeze(call: Call) -> Result:
    """Squeeze the given axes, or every axis of one element."""
    x = call.shape(0)
    axes = call.axes(len(x))
    if axes is None:
        if any(dim is UNKNOWN for dim in x):
            raise UnknownSize
        axes = tuple(axis for axis, dim in enumerate(x) if dim == 1)
    return view(call, tuple(dim for axis, dim in enumerate(x) if axis not in axes))


def unsqueeze(call: Call) -> Result:
    """Unsqueeze: axes are places in the output."""
    x = call.shape(0)
    given = call.integers("axes")
    count = len(given) if given is not None else size(call.shape(1))
    axes = call.axes(len(x) + count) or ()
    left = iter(x)
    return view(call, tuple(1 if axis in axes else next(left) for axis in range(len(x) + count)))


def transpose(call: Call) -> Result:
    """Transpose: reversed where no permutation is given."""
    x = call.shape(0)
    order = call.integers("perm") or tuple(reversed(range(len(x))))
    return Result(of(call.dtype(), tuple(x[axis] for axis in order)))


def cast(call: Call) -> Result:
    """Cast: conversions are not counted as arithmetic."""
    return Result(of(call.integer("to"), call.shape(0)), reuse=IN_PLACE)


def cast_like(call: Call) -> Result:
    """CastLike: the type of the second input."""
    return Result(of(call.dtype(1), call.shape(0)), reuse=IN_PLACE, read=bytes_of(call.inputs[0]))


def bit_cast(call: Call) -> Result:
    """BitCast: the same bytes as another type of the same width."""
    return Result(of(call.integer("to"), call.shape(0)), reuse=VIEW, read=0, written=0)


def concat(call: Call) -> Result:
    """Concat along an axis."""
    shapes = [call.shape(index) for index in range(len(call.inputs))]
    axis = axis_of(call.integer("axis", 1), len(shapes[0]))
    joined = sum(shape[axis] for shape in shapes)
    out = []
    for place, dims in enumerate(zip(*shapes, strict=True)):
        # Where one tensor's size is not known, another one's is.
        known = [dim for dim in dims if dim is not UNKNOWN]
        out.append(joined if place == axis else known[0] if known else UNKNOWN)
    return Result(of(call.dtype(), tuple(out)))


def split(call: Call) -> Result:
    """Split into given sizes, or evenly with a smaller last part."""
    x = call.shape(0)
    axis = axis_of(call.integer("axis"), len(x))
    sizes = call.integers("split") or (call.sizes(1) if call.has(1) else None)
    if sizes is None:
        parts = call.integer("num_outputs") or call.outputs
        part = -(-x[axis] // parts)
        sizes = (*(part,) * (parts - 1), x[axis] - part * (parts - 1))
    dtype = call.dtype()
    return Result(tuple(Type(dtype, (*x[:axis], part, *x[axis + 1 :])) for part in sizes))


def slice_(call: Call) -> Result:
    """Slice: starts, ends, axes and steps from attributes (opset 9) or inputs."""
    x = list(call.shape(0))
    starts, ends = call.integers("starts"), call.integers("ends")
    starts = call.sizes(1) if starts is None else starts
    ends = call.sizes(2) if ends is None else ends
    axes = call.axes(len(x), index=3) or tuple(range(len(starts)))
    steps = call.sizes(4) if call.has(4) else (1,) * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        x[axis] = (
            UNKNOWN if _any_unknown(x[axis], start, end) else _length(x[axis], start, end, step)
        )
    return _part(call, tuple(x))


def _any_unknown(*numbers: int) -> bool:
    return any(number is UNKNOWN for number in numbers)


def _length(dim: int, start: int, end: int, step: int) -> int:
    return len(range(*slice(start, end, step).indices(dim)))


def _part(call: Call, shape: Shape) -> Result:
    out = of(call.dtype(), shape)
    return Result(out, read=bytes_of(out[0]))


def pad(call: Call) -> Result:
    """Pad: begins and ends from an attribute (opset 10) or input; of some axes or all."""
    x = list(call.shape(0))
    pads = call.integers("pads") or call.integers("paddings") or call.sizes(1)
    axes = call.axes(len(x), index=3) or tuple(range(len(x)))
    for place, axis in enumerate(axes):
        x[axis] += pads[place] + pads[place + len(axes)]
    return Result(of(call.dtype(), tuple(x)))


def center_crop_pad(call: Call) -> Result:
    """CenterCropPad to given sizes."""
    x = list(call.shape(0))
    axes = call.axes(len(x), index=99) or tuple(range(len(x)))
    for axis, dim in zip(axes, call.sizes(1), strict=True):
        x[axis] = dim
    return _part(call, tuple(x))


def expand(call: Call) -> Result:
    """Expand: stretched to a shape, which is stretched to the input too."""
    return Result(of(call.dtype(), broadcast(call.shape(0), call.sizes(1))))


def tile(call: Call) -> Result:
    """Tile: every axis repeated."""
    repeats = call.sizes(1)
    out = tuple(dim * times for dim, times in zip(call.shape(0), repeats, strict=True))
    return Result(of(call.dtype(), out))


def depth_to_space(call: Call) -> Result:
    """DepthToSpace: channels become a block of places."""
    n, c, h, w = call.shape(0)
    block = call.integer("blocksize", 1)
    return Result(of(call.dtype(), (n, c // (block * block), h * block, w * block)))


def space_to_depth(call: Call) -> Result:
    """SpaceToDepth: a block of places becomes channels."""
    n, c, h, w = call.shape(0)
    block = call.integer("blocksize", 1)
    return Result(of(call.dtype(), (n, c * block * block, h // block, w // block)))


def col2im(call: Call) -> Result:
    """Col2Im: blocks are added up, one addition an input element.

    Shapes: x [N, C * taps, L], output [N, C, *image].
    """
    x = call.shape(0)
    image, block = call.sizes(1), call.sizes(2)
    return Result(of(call.dtype(), (x[0], x[1] // size(block), *image)), flops=size(x))


def same(call: Call) -> Result:
    """Operators that keep shape and type and move every element: Trilu, ReverseSequence."""
    return Result((call.tensor(0),))


RULES: Family = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Cast": cast,
    "CastLike": cast_like,
    "BitCast": bit_cast,
    "Concat": concat,
    "Split": split,
    "Slice": slice_,
    "Pad": pad,
    "CenterCropPad": center_crop_pad,
    "Expand": expand,
    "Tile": tile,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "Col2Im": col2im,
    "Trilu": same,
    "ReverseSequence": same,
}
MICROSOFT: Family = {"Pad": pad, "Trilu": same}
