"""thop (pytorch-OpCounter): counts modules, not operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from profiler.cost.call import axis_of
from profiler.cost.conventions._convention import (
    Convention,
    Seen,
    attributes,
    elements_in,
    elements_out,
    has,
    macs,
    shape_of,
)
from profiler.cost.steps import Step
from profiler.cost.values import size

_NORM = 2
_LAYERS = "torch.nn.modules."
_KNOWN = frozenset(
    {
        "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d",
        "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "LayerNorm",
        "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "PReLU", "Softmax", "AvgPool1d",
        "AvgPool2d", "AvgPool3d", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d",
        "Linear", "Upsample", "RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell",
    }
)  # fmt: skip
_UPSAMPLING = {"linear": 11, "cubic": 259, "nearest": 1}


def count(step: Step, seen: Seen) -> int:
    """Modules as thop counts them: what a function does instead of a module counts as nothing.

    So a product of two activations (attention) is nothing, a product with a weight is a linear
    layer; a transposed convolution is counted from its output, too high by its strides. It knows
    layers of torch by their very class: of a traced network, a layer derived from one is nothing
    either, which a file does not tell.
    Limits: recurrent layers, whose formulas there differ from torch's cells, are taken as MACs.
    Source: thop/vision/basic_hooks.py and calc_func.py, thop 0.1.1.
    """
    caller = step.node.caller
    if caller and (not caller.startswith(_LAYERS) or caller.rpartition(".")[2] not in _KNOWN):
        return 0
    rule = _RULES.get(step.node.op_type)
    return macs(step) if rule is None else rule(step)


def _product(step: Step) -> int:
    return macs(step) if step.is_weight(0) or step.is_weight(1) else 0


def _function(step: Step) -> int:
    return 0


def _norm(step: Step) -> int:
    return _NORM * (2 if has(step, 1) else 1) * elements_in(step)


def _resize(step: Step) -> int:
    mode = attributes(step).text("mode", "nearest")
    return elements_out(step) * _UPSAMPLING.get(mode, 0)


def _transposed(step: Step) -> int:
    weight, groups = shape_of(step.inputs[1]), attributes(step).integer("group", 1)
    channels = shape_of(step.inputs[0])[1]
    return elements_out(step) * (channels // groups) * size(weight[2:])


def _softmax(step: Step) -> int:
    shape = shape_of(step.inputs[0])
    features = shape[axis_of(attributes(step).integer("axis", -1), len(shape))]
    return size(shape) // features * (3 * features - 1)


_RULES: Mapping[str, Callable[[Step], int]] = {
    "MatMul": _product,
    "Gemm": _product,
    "FusedMatMul": _product,
    "FusedGemm": _product,
    "Einsum": _function,
    "Attention": _function,
    "MultiHeadAttention": _function,
    "BatchNormalization": _norm,
    "LayerNormalization": _norm,
    "InstanceNormalization": _norm,
    "ConvTranspose": _transposed,
    "Softmax": _softmax,
    "PRelu": elements_in,
    "AveragePool": elements_out,
    "GlobalAveragePool": lambda step: elements_in(step) + elements_out(step),
    "Resize": _resize,
    "Upsample": _resize,
}

PLUGIN = Convention(
    "thop",
    "thop MACs",
    "multiply-accumulates of modules, and normalisation, softmax and pooling by the element",
    count,
    {
        "MatMul": "a product of two activations is a function, which thop does not see",
        "Einsum": "a function, which thop does not see",
        "Attention": "a function, which thop does not see",
        "ConvTranspose": "counted from the output elements, too high by the strides",
        "BatchNormalization": "four operations an element",
        "LayerNormalization": "four operations an element (two without scale and shift)",
        "InstanceNormalization": "four operations an element (two without scale and shift)",
        "PRelu": "one operation an element",
        "Softmax": "three operations an element",
        "AveragePool": "one operation an output element",
        "GlobalAveragePool": "one operation an input element, and a division",
        "Resize": "eleven operations an output element when linear, one when nearest",
        "Upsample": "eleven operations an output element when linear, one when nearest",
        "Conv": "a layer derived from torch's is not known to thop",
        "Gemm": "a layer derived from torch's is not known to thop",
    },
)
