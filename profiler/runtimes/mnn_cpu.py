"""MNN on the CPU, in single precision."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from exporters.formats import mnn as mnn_format
from exporters.formats._format import EDGE_REMEDY, Signature, read_signature
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind, Placement
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.runtimes._library import library
from profiler.runtimes._runtime import Array, Call, RuntimeInfo

_LIBRARY = library("MNN", EDGE_REMEDY)
_BACKENDS, _THREADS = 2, 4
# MNN's numbers of kinds of backends.
_BACKEND_NAMES = {0: "cpu", 13: "cpu with vector extensions"}


class MnnSession:
    """A session of MNN's interpreter; everything that it points to is kept alive here."""

    def __init__(self, interpreter: Any, session: Any, signature: Signature) -> None:
        self._interpreter = interpreter
        self._session = session
        self._signature = signature
        self._alive: list[Any] = []

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs as the model had them; MNN keeps their names."""
        return self._signature.inputs

    @property
    def placement(self) -> tuple[Placement, ...]:
        """One entry: MNN has no count of nodes, and one backend."""
        return (Placement("cpu", "fp32", None),)

    @property
    def effective(self) -> tuple[tuple[str, str], ...]:
        """Threads and backend of the session; MNN takes no more threads than there are cores."""
        backend = self._interpreter.getSessionInfo(self._session, _BACKENDS)
        threads = self._interpreter.getSessionInfo(self._session, _THREADS)
        return (
            # MNN writes a whole number where its Python binding reads a fraction.
            ("num_threads", str(struct.unpack("i", struct.pack("f", threads))[0])),
            ("backend", _BACKEND_NAMES.get(int(backend), f"number {int(backend)}")),
        )

    def bind(self, feeds: Mapping[str, Array]) -> Call:
        """Make the inputs' tensors once; every run copies them into the session.

        MNN uses the memory of an input for other values while it runs: a second run without the
        copy would work on something else.
        """
        copies = [self._copy(spec, _narrow(feeds[spec.name])) for spec in self._signature.inputs]
        run, session = self._interpreter.runSession, self._session

        def call() -> None:
            for copy, host in copies:
                copy(host)
            if code := run(session):
                raise ModelError(FailureKind.CRASHED, f"MNN's run ended with code {code}")

        return call

    def _copy(self, spec: TensorSpec, value: Array) -> tuple[Callable[[Any], bool], Any]:
        tensor = self._interpreter.getSessionInput(self._session, spec.name)
        host = _host(value)
        self._alive += [tensor, host, value]
        if tuple(tensor.getShape()) != value.shape or not tensor.copyFromHostTensor(host):
            raise ModelError(FailureKind.BAD_INPUT, f"MNN does not take input {spec.name!r}")
        return tensor.copyFromHostTensor, host

    def outputs(self) -> dict[str, Array]:
        """Copies of the outputs of the last inference, in the model's own types."""
        found: dict[str, Array] = {}
        for spec in self._signature.outputs:
            tensor = self._interpreter.getSessionOutput(self._session, spec.name)
            dtype = _narrow(np.zeros(0, spec.dtype)).dtype
            space = np.zeros(tensor.getShape(), dtype)  # named: a tensor does not keep its array
            host = _host(space)
            tensor.copyToHostTensor(host)
            found[spec.name] = np.array(host.getNumpyData()).astype(spec.dtype)
        return found


class MnnCpu:
    """MNN's CPU backend."""

    def probe(self) -> RuntimeInfo:
        """Available when it is installed and imports."""
        if _LIBRARY.module is None:
            reason, remedy = _LIBRARY.missing, _LIBRARY.remedy
            return RuntimeInfo(False, None, None, reason, remedy, format="mnn")
        return RuntimeInfo(
            True, version("MNN"), "cpu", format="mnn", refuses=dict(mnn_format.PLUGIN.refuses)
        )

    def load(self, model: Path, target: Target) -> MnnSession:
        """Make a session.

        Raises: ModelError for a precision or an option that does not exist, or a file that MNN
        cannot load.
        """
        mnn = _LIBRARY.needed()
        if target.precision != "fp32" or target.options:
            raise ModelError(FailureKind.BAD_INPUT, "mnn-cpu has the precision fp32 and no options")
        interpreter = mnn.Interpreter(str(model))
        settings = {"backend": "CPU", "numThread": target.threads, "precision": "high"}
        session = interpreter.createSession(settings)
        if session is None:
            raise ModelError(FailureKind.UNSUPPORTED, "MNN makes no session of this model")
        return MnnSession(interpreter, session, read_signature(model))


def _narrow(value: Array) -> Array:
    """MNN has whole numbers of 32 bits where ONNX has 64, and single precision for double."""
    narrow = {"int64": np.int32, "float64": np.float32, "bool": np.int32}
    return np.ascontiguousarray(value, dtype=narrow.get(value.dtype.name, value.dtype))


def _host(value: Array) -> Any:
    """A tensor over an array, in the model's own layout."""
    mnn = _LIBRARY.needed()
    return mnn.Tensor(value.shape, _type_of(value), value, mnn.Tensor_DimensionType_Caffe)


def _type_of(value: Array) -> Any:
    mnn = _LIBRARY.needed()
    types = {
        "float32": mnn.Halide_Type_Float, "int32": mnn.Halide_Type_Int,
        "uint8": mnn.Halide_Type_Uint8,
    }  # fmt: skip
    if value.dtype.name not in types:
        raise ModelError(FailureKind.UNSUPPORTED, f"MNN has no tensors of {value.dtype.name}")
    return types[value.dtype.name]


PLUGIN = MnnCpu()
