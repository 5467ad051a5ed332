"""LiteRT on the CPU with its XNNPACK delegate."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from exporters.calibration_data import QUANTISED, further_options
from exporters.formats._format import EDGE_REMEDY, Signature, read_signature
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind, Placement
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.runtimes._library import library
from profiler.runtimes._runtime import Array, Call, RuntimeInfo

_LIBRARY = library("ai_edge_litert.interpreter", EDGE_REMEDY)
_PRECISIONS = ("fp32", "int8")
_TASKS = Path("/proc/self/task")
_DELEGATE = "DELEGATE"
_MOVES = ("QUANTIZE", "DEQUANTIZE")
_NUMBER = re.compile(r"(?:args|output)_([0-9]+)")


class LiteRtSession:
    """An interpreter whose inputs are set once."""

    def __init__(self, interpreter: Any, signature: Signature, threads: int) -> None:
        self._interpreter = interpreter
        self._signature = signature
        self._threads = threads
        self._inputs = sorted(interpreter.get_input_details(), key=_number)
        self._outputs = sorted(interpreter.get_output_details(), key=_number)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs as the network had them; LiteRT numbers them."""
        return self._signature.inputs

    @property
    def placement(self) -> tuple[Placement, ...]:
        """Operators that are run, a delegate as one, by the precision of what they give.

        A model with weights of eight bits has its own operators counted instead, as LiteRT does not
        tell what a delegate does with them: `int8` for those that take such weights or values.
        """
        types = {t["index"]: t["dtype"] for t in self._interpreter.get_tensor_details()}
        small = [op for op in self._inner if any(types.get(i) is np.int8 for i in op["inputs"])]
        nodes = Counter(_precision(operator) for operator in self._run)
        if small:
            nodes = Counter(int8=len(small), fp32=len(self._inner) - len(small))
        return tuple(Placement("cpu", name, count) for name, count in sorted(nodes.items()))

    @property
    def effective(self) -> tuple[tuple[str, str], ...]:
        """Threads of its pool as the system counts them, and what its delegate left."""
        left = Counter(op["op_name"] for op in self._run if op["op_name"] != _DELEGATE)
        return (
            ("num_threads", str(self._threads)),
            ("delegates", str(len(self._run) - left.total())),
            ("not_delegated", ", ".join(f"{n} {name}" for name, n in sorted(left.items()))),
        )

    @property
    def _inner(self) -> list[dict[str, Any]]:
        every = self._interpreter._get_ops_details()
        return [op for op in every if op["op_name"] not in (_DELEGATE, *_MOVES)]

    @property
    def _run(self) -> list[dict[str, Any]]:
        return _needed(
            self._interpreter._get_ops_details(), [found["index"] for found in self._outputs]
        )

    def bind(self, feeds: Mapping[str, Array]) -> Call:
        """Copy the inputs into the interpreter once.

        Raises: ModelError `bad_input` where it wants another shape or type.
        """
        for spec, wanted in zip(self._signature.inputs, self._inputs, strict=True):
            value = _stored(np.ascontiguousarray(feeds[spec.name]), wanted)
            if value.dtype != wanted["dtype"] or value.shape != tuple(wanted["shape"]):
                raise ModelError(
                    FailureKind.BAD_INPUT,
                    f"LiteRT wants {spec.name!r} as {wanted['dtype'].__name__} "
                    f"{tuple(wanted['shape'])}, not {value.dtype} {value.shape}",
                )
            self._interpreter.set_tensor(wanted["index"], value)
        call: Call = self._interpreter.invoke
        return call

    def outputs(self) -> dict[str, Array]:
        """Copies of the outputs of the last inference."""
        pairs = zip(self._signature.outputs, self._outputs, strict=True)
        get = self._interpreter.get_tensor
        return {spec.name: _real(get(found["index"]), found, spec) for spec, found in pairs}


class LiteRtCpu:
    """LiteRT's CPU kernels."""

    def probe(self) -> RuntimeInfo:
        """Available when it is installed and imports."""
        if _LIBRARY.module is None:
            reason, remedy = _LIBRARY.missing, _LIBRARY.remedy
            return RuntimeInfo(False, None, None, reason, remedy, format="litert")
        return RuntimeInfo(
            True, version("ai-edge-litert"), "cpu", format="litert", precisions=_PRECISIONS
        )

    def load(self, model: Path, target: Target) -> LiteRtSession:
        """Make an interpreter and count the threads that it starts.

        Raises: ModelError for a precision or an option that does not exist.
        """
        litert = _LIBRARY.needed()
        if target.precision not in _PRECISIONS or further_options(target):
            raise ModelError(
                FailureKind.BAD_INPUT,
                "litert-cpu has the precisions fp32 and int8 and no further options",
            )
        before = len(list(_TASKS.iterdir()))
        interpreter = litert.Interpreter(str(model), num_threads=target.threads)
        interpreter.allocate_tensors()
        started = len(list(_TASKS.iterdir())) - before
        session = LiteRtSession(interpreter, read_signature(model), 1 + started)
        if target.precision == QUANTISED and not any(
            p.precision == "int8" for p in session.placement
        ):
            raise ModelError(FailureKind.WRONG_PRECISION, "nothing in this model has int8 weights")
        return session


def _stored(value: Array, details: dict[str, Any]) -> Array:
    """A real value as a quantised input keeps it."""
    if details["dtype"] is not np.int8 or value.dtype != np.float32:
        return value
    scale, zero = details["quantization"]
    stored: Array = np.clip(np.round(value / scale) + zero, -128, 127).astype(np.int8)
    return stored


def _real(value: Array, details: dict[str, Any], spec: TensorSpec) -> Array:
    """What a quantised output stands for."""
    if value.dtype != np.int8 or spec.dtype != "float32":
        return value
    scale, zero = details["quantization"]
    real: Array = ((value.astype(np.float32) - zero) * scale).astype(np.float32)
    return real


def _number(details: dict[str, Any]) -> int:
    """The place of an input or output, which the converter writes into its name."""
    found = _NUMBER.search(details["name"])
    return int(found[1]) if found else 0


def _needed(operators: list[dict[str, Any]], outputs: list[int]) -> list[dict[str, Any]]:
    """Operators that the outputs need; those inside a delegate are listed too, but not run."""
    makers: dict[int, dict[str, Any]] = {}
    for operator in sorted(operators, key=lambda op: bool(op["op_name"] == _DELEGATE)):
        makers.update((int(index), operator) for index in operator["outputs"])
    found: dict[int, dict[str, Any]] = {}
    waiting = [int(index) for index in outputs]
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and maker["index"] not in found:
            found[maker["index"]] = maker
            waiting += [int(index) for index in maker["inputs"]]
    return list(found.values())


def _precision(operator: dict[str, Any]) -> str:
    names = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
    types = [np.dtype(kind).name for kind in operator["result_types"]]
    return names.get(types[0], types[0]) if types else "unknown"


PLUGIN = LiteRtCpu()
