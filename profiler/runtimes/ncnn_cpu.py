"""ncnn on the CPU; where it keeps values in half the bits is read back layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from exporters.formats import ncnn as ncnn_format
from exporters.formats._format import EDGE_REMEDY, Signature, read_signature
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind, Placement
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.runtimes._library import library
from profiler.runtimes._runtime import Array, Call, RuntimeInfo

_LIBRARY = library("ncnn", EDGE_REMEDY)
_PRECISIONS = ("fp32", "fp16", "bf16")
_INTEGERS = ("int16", "int32", "int64", "int8", "uint8")


class NcnnSession:
    """A net, its inputs, and the outputs of the last run, all kept alive here."""

    def __init__(self, net: Any, signature: Signature) -> None:
        self._net = net
        self._signature = signature
        self._mats: list[Any] = []
        self._found: list[Any] = []

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs as the model had them; ncnn numbers them."""
        return self._signature.inputs

    @property
    def placement(self) -> tuple[Placement, ...]:
        """Layers by the precision that each keeps its values in."""
        nodes = Counter(_precision(layer, self._net.opt) for layer in self._net.layers())
        return tuple(Placement("cpu", name, count) for name, count in sorted(nodes.items()))

    @property
    def effective(self) -> tuple[tuple[str, str], ...]:
        """Threads and storage as the net's options say."""
        names = (
            "num_threads", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage",
            "use_vulkan_compute",
        )  # fmt: skip
        return tuple((name, str(getattr(self._net.opt, name))) for name in names)

    def bind(self, feeds: Mapping[str, Array]) -> Call:
        """Copy the inputs into ncnn's own memory once.

        A matrix over an array of NumPy does not keep it alive, and layers that work in place crash
        on it.
        """
        ncnn = _LIBRARY.needed()
        arrays = [_without_batch(feeds[spec.name]) for spec in self._signature.inputs]
        self._mats = [ncnn.Mat(array).clone() for array in arrays]
        inputs = [(f"in{place}", mat) for place, mat in enumerate(self._mats)]
        outputs = [f"out{place}" for place in range(len(self._signature.outputs))]
        create = self._net.create_extractor

        def call() -> None:
            extractor = create()
            for name, mat in inputs:
                extractor.input(name, mat)
            found = [extractor.extract(name) for name in outputs]
            if any(code for code, _ in found):
                raise ModelError(FailureKind.CRASHED, "ncnn's run gave an output up")
            self._found = [mat for _, mat in found]

        return call

    def outputs(self) -> dict[str, Array]:
        """Copies of the outputs of the last inference, in the model's own types and shapes."""
        pairs = zip(self._signature.outputs, self._found, strict=True)
        return {spec.name: _shaped(np.array(mat), spec) for spec, mat in pairs}


class NcnnCpu:
    """ncnn without Vulkan."""

    def probe(self) -> RuntimeInfo:
        """Available when it is installed and imports."""
        if _LIBRARY.module is None:
            reason, remedy = _LIBRARY.missing, _LIBRARY.remedy
            return RuntimeInfo(False, None, None, reason, remedy, format="ncnn")
        return RuntimeInfo(
            True,
            version("ncnn"),
            "cpu",
            format="ncnn",
            precisions=_PRECISIONS,
            refuses=dict(ncnn_format.PLUGIN.refuses),
        )

    def load(self, model: Path, target: Target) -> NcnnSession:
        """Load a net with every saving of bits off that was not asked for.

        Raises: ModelError for a precision or an option that does not exist, for a net that ncnn
        does not load, and for layers that keep more bits than asked for.
        """
        ncnn = _LIBRARY.needed()
        if target.precision not in _PRECISIONS or target.options:
            raise ModelError(
                FailureKind.BAD_INPUT,
                f"ncnn-cpu has the precisions {', '.join(_PRECISIONS)} and no options",
            )
        net = ncnn.Net()
        _set(net.opt, target)
        # After a refusal the net must not be touched again: ncnn would crash.
        if net.load_param(str(model)) or net.load_model(str(model.with_suffix(".bin"))):
            raise ModelError(FailureKind.UNSUPPORTED, "ncnn does not load this net")
        _check_precision(net, target.precision)
        return NcnnSession(net, read_signature(model))


def _set(options: Any, target: Target) -> None:
    half, brain = target.precision == "fp16", target.precision == "bf16"
    options.num_threads = target.threads
    options.use_vulkan_compute = False
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = half
    options.use_bf16_packed = options.use_bf16_storage = brain


def _precision(layer: Any, options: Any) -> str:
    """What ncnn itself decides by, before it runs a layer."""
    if options.use_fp16_storage and layer.support_fp16_storage:
        return "fp16"
    return "bf16" if options.use_bf16_storage and layer.support_bf16_storage else "fp32"


def _check_precision(net: Any, precision: str) -> None:
    found = [_precision(layer, net.opt) for layer in net.layers()]
    if 2 * found.count(precision) < len(found):
        raise ModelError(
            FailureKind.WRONG_PRECISION,
            f"asked ncnn for {precision}, but on this CPU {found.count('fp32')} of {len(found)} "
            "layers keep fp32",
        )


def _without_batch(value: Array) -> Array:
    kind = np.int32 if value.dtype.name in _INTEGERS else np.float32
    return np.ascontiguousarray(value[0] if value.ndim > 1 else value, dtype=kind)


def _shaped(found: Array, spec: TensorSpec) -> Array:
    """Give an output its batch back; one of another size stays as it is, and differs."""
    shape = tuple(size for size in spec.shape or () if isinstance(size, int))
    whole = found.reshape(shape) if int(np.prod(shape)) == found.size else found
    return whole.astype(spec.dtype)


PLUGIN = NcnnCpu()
