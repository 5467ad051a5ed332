"""torch's operators in ONNX's terms, as far as counting needs them.

Changes of shape are in the domain `torch.view`, copies and indexing in `torch.move`; what has no
counterpart keeps its name in the domain `torch`, and is reported as not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch

from exporters.onnx_types import Attribute

VIEW, MOVE, UNKNOWN = "torch.view", "torch.move", "torch"

Arguments: TypeAlias = Sequence[Any]


class Described(NamedTuple):
    """An operator in ONNX's terms; `with_scalar` adds a number as its last input."""

    op_type: str
    inputs: tuple[torch.Tensor | None, ...]
    attributes: Mapping[str, Attribute] = {}
    domain: str = ""
    with_scalar: bool = False


def tensors(value: Any) -> list[torch.Tensor]:
    """Every tensor in nested lists, tuples and dictionaries, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in tensors(item)]
    if isinstance(value, dict):
        return [tensor for item in value.values() for tensor in tensors(item)]
    return []


def described(func: Any, args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
    """Describe one call of an operator."""
    name = func._schema.name.removeprefix("aten::")
    # The form that works in place has a trailing underscore, and costs the same.
    name = name.rstrip("_") if not name.endswith("__") else name
    given = tuple(tensors((args, kwargs)))
    if name.startswith("_scaled_dot_product"):
        return Described("Attention", tuple(args[:3]))
    if name in _BUILDERS:
        return _BUILDERS[name](args, kwargs, result)
    if name in _ELEMENTWISE:
        op_type = _ELEMENTWISE[name]
        return Described(op_type, given, with_scalar=len(given) < 2 and op_type in _OF_TWO)
    if name in _VIEWS:
        return Described(name, given, domain=VIEW)
    if name in _MOVES or name.startswith(("new_", "zeros", "ones", "empty", "full")):
        return Described(name, given, domain=MOVE)
    return Described(name, given, domain=UNKNOWN)


def _convolution(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
    x, w, b, stride, padding, dilation, transposed, extra, groups = args[:9]
    attributes: dict[str, Attribute] = {
        "strides": _tuple(stride, w.dim() - 2),
        "pads": _tuple(padding, w.dim() - 2) * 2,
        "dilations": _tuple(dilation, w.dim() - 2),
        "group": int(groups),
    }
    if transposed:
        attributes["output_padding"] = _tuple(extra, w.dim() - 2)
    return Described("ConvTranspose" if transposed else "Conv", (x, w, b), attributes)


def _tuple(value: Sequence[int], count: int) -> tuple[int, ...]:
    return tuple(value) * count if len(value) == 1 else tuple(value)


def _addmm(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
    return Described("Gemm", (args[1], args[2], args[0]))


def _product(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
    return Described("MatMul", tuple(args[-2:]))


def _linear(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
    bias = args[2] if len(args) > 2 else None
    return Described("Gemm", (args[0], args[1], bias), {"transB": 1})


def _batch_norm(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
    # Standardised weights are normalised by their own statistics, without running ones.
    own = args[5] if len(args) > 5 and isinstance(args[5], bool) else args[3]
    return Described("BatchNormalization", tuple(args[:3]), {"training_mode": int(own is True)})


def _layer_norm(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
    x, normalised = args[0], args[1]
    return Described("LayerNormalization", (x, *args[2:4]), {"axis": -len(normalised)})


def _rms_norm(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
    return Described("RMSNormalization", (args[0], args[2]), {"axis": -len(args[1])})


def _group_norm(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
    return Described("GroupNormalization", tuple(args[:3]), {"num_groups": int(args[6])})


def _softmax(op_type: str) -> Builder:
    return lambda args, kwargs, result: Described(op_type, (args[0],), {"axis": int(args[1])})


def _reduction(op_type: str) -> Builder:
    def build(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
        axes = next((item for item in args[1:] if isinstance(item, (list, tuple, int))), ())
        if isinstance(axes, bool):
            axes = ()
        keep = tensors(result)[0].dim() == args[0].dim()
        return Described(
            op_type,
            (args[0],),
            {"axes": (axes,) if isinstance(axes, int) else tuple(axes), "keepdims": int(keep)},
        )

    return build


def _average_to(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
    x, spatial = args[0], result.shape[2:] if args[0].dim() == 4 else result.shape[1:]
    if all(size == 1 for size in spatial):
        return Described("GlobalAveragePool", (x,))
    kernel = tuple(a // b for a, b in zip(x.shape[-len(spatial) :], spatial, strict=True))
    return Described("AveragePool", (x,), {"kernel_shape": kernel, "strides": kernel})


def _pool(op_type: str) -> Builder:
    def build(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
        rank = args[0].dim() - 2
        kernel = _tuple(args[1], rank)
        stride = _tuple(args[2], rank) if len(args) > 2 and args[2] else kernel
        pads = _tuple(args[3], rank) if len(args) > 3 else (0,) * rank
        return Described(
            op_type, (args[0],), {"kernel_shape": kernel, "strides": stride, "pads": pads * 2}
        )

    return build


def _resize(mode: str) -> Builder:
    # ONNX takes the size as an input; the rule only needs to know that both sizes are there.
    return lambda args, kwargs, result: Described(
        "Resize", (args[0],), {"mode": mode, "sizes": tuple(result.shape)}
    )


def _grid_sample(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
    mode = {0: "linear", 1: "nearest", 2: "cubic"}.get(args[2], "linear")
    return Described("GridSample", tuple(args[:2]), {"mode": mode})


def _clip(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
    limits = {"min": 0.0, "max": 1.0} if len(args) != 2 else {"min": 0.0}
    return Described("Clip", (args[0],), limits)


def _gelu(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> Described:
    return Described("Gelu", (args[0],), {"approximate": str(kwargs.get("approximate", "none"))})


def _first(op_type: str) -> Builder:
    return lambda args, kwargs, result: Described(op_type, (args[0],))


Builder: TypeAlias = Callable[[Arguments, Mapping[str, Any], Any], Described]

_BUILDERS: Mapping[str, Builder] = {
    "convolution": _convolution, "addmm": _addmm, "mm": _product, "bmm": _product,
    "matmul": _product, "mv": _product, "dot": _product, "baddbmm": _product, "linear": _linear,
    "native_batch_norm": _batch_norm, "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm, "cudnn_batch_norm": _batch_norm,
    "batch_norm": _batch_norm, "native_layer_norm": _layer_norm, "layer_norm": _layer_norm,
    "_fused_rms_norm": _rms_norm, "native_group_norm": _group_norm,
    "_softmax": _softmax("Softmax"), "_safe_softmax": _softmax("Softmax"),
    "_log_softmax": _softmax("LogSoftmax"), "sum": _reduction("ReduceSum"),
    "mean": _reduction("ReduceMean"), "prod": _reduction("ReduceProd"),
    "amax": _reduction("ReduceMax"), "amin": _reduction("ReduceMin"),
    "max": _reduction("ReduceMax"), "min": _reduction("ReduceMin"),
    "linalg_vector_norm": _reduction("ReduceL2"), "norm": _reduction("ReduceL2"),
    "_adaptive_avg_pool2d": _average_to, "adaptive_avg_pool2d": _average_to,
    "adaptive_avg_pool1d": _average_to, "avg_pool2d": _pool("AveragePool"),
    "max_pool2d_with_indices": _pool("MaxPool"), "max_pool2d": _pool("MaxPool"),
    "upsample_nearest2d": _resize("nearest"), "_upsample_nearest_exact2d": _resize("nearest"),
    "upsample_bilinear2d": _resize("linear"), "upsample_bicubic2d": _resize("cubic"),
    "_upsample_bilinear2d_aa": _resize("linear"), "_upsample_bicubic2d_aa": _resize("cubic"),
    "grid_sampler_2d": _grid_sample, "hardtanh": _clip, "clamp": _clip, "clamp_min": _clip,
    "clamp_max": _clip, "relu6": _clip, "gelu": _gelu, "elu": _first("Elu"),
    "leaky_relu": _first("LeakyRelu"), "softplus": _first("Softplus"), "cumsum": _first("CumSum"),
    "rsqrt": _first("Sqrt"), "topk": _first("ArgMax"), "argmax": _first("ArgMax"),
}  # fmt: skip
_ELEMENTWISE: Mapping[str, str] = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "silu": "Swish", "mish": "Mish",
    "hardswish": "HardSwish", "hardsigmoid": "HardSigmoid", "exp": "Exp", "log": "Log",
    "sqrt": "Sqrt", "reciprocal": "Reciprocal", "neg": "Neg", "abs": "Abs", "erf": "Erf",
    "sin": "Sin", "cos": "Cos", "floor": "Floor", "ceil": "Ceil", "round": "Round",
    "sign": "Sign", "pow": "Pow", "add": "Add", "sub": "Sub", "rsub": "Sub", "mul": "Mul",
    "div": "Div", "floor_divide": "Div", "remainder": "Mod", "maximum": "Max", "minimum": "Min",
    "where": "Where", "eq": "Equal", "ne": "Equal", "lt": "Less", "le": "LessOrEqual",
    "gt": "Greater", "ge": "GreaterOrEqual", "logical_not": "Not", "logical_and": "And",
    "logical_or": "Or", "bitwise_not": "BitwiseNot", "bitwise_and": "BitwiseAnd",
    "bitwise_or": "BitwiseOr", "prelu": "PRelu", "_prelu_kernel": "PRelu", "square": "Neg",
    "masked_fill": "Add", "addcmul": "Sum", "addcdiv": "Sum",
}  # fmt: skip
_OF_TWO = frozenset({"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"})
_VIEWS = frozenset(
    {
        "view", "_unsafe_view", "reshape", "permute", "transpose", "t", "expand", "unsqueeze",
        "squeeze", "detach", "alias", "slice", "select", "split", "unsafe_split",
        "split_with_sizes", "chunk", "unbind", "as_strided", "diagonal", "lift_fresh", "unfold",
        "dropout", "movedim", "_reshape_alias", "view_as_real", "view_as_complex", "broadcast_to",
    }
)  # fmt: skip
_MOVES = frozenset(
    {
        "clone", "copy", "_to_copy", "contiguous", "cat", "stack", "roll", "flip",
        "constant_pad_nd", "pad", "reflection_pad2d", "replication_pad2d", "index", "index_select",
        "index_put", "gather", "scatter", "embedding", "arange", "linspace", "scalar_tensor",
        "repeat", "repeat_interleave", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle",
        "im2col", "col2im", "tril", "triu", "fill", "zero", "rand", "randn", "rand_like",
        "randn_like", "one_hot", "tril_indices", "meshgrid", "slice_scatter", "select_scatter",
        "slice_backward", "bernoulli", "native_dropout", "_assert_async",
    }
)  # fmt: skip
