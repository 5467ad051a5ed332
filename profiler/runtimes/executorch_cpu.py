"""ExecuTorch on the CPU with its XNNPACK delegate, in an environment of its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from exporters.calibration_data import further_options
from exporters.formats._format import Signature, read_signature
from exporters.formats.executorch import DELEGATE, NODES, PRECISIONS
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind, Placement
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.runtimes._library import library
from profiler.runtimes._runtime import Array, Call, RuntimeInfo

_PRECISIONS = ("fp32", "int8")
_REMEDY = "nasprof runtimes install executorch"
_RUNTIME = library("executorch.runtime", _REMEDY)
_POOL = library("executorch.extension.pybindings.portable_lib", _REMEDY)


class ExecuTorchSession:
    """A loaded method with its inputs as torch tensors."""

    def __init__(
        self, program: Any, signature: Signature, nodes: list[str], precisions: dict[str, int]
    ) -> None:
        self._program = program  # kept: the method points into it
        self._method = program.load_method("forward")
        self._signature = signature
        self._nodes = nodes
        self._precisions = precisions
        self._inputs: list[Any] = []
        self._result: list[Any] = []

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs as the network had them."""
        return self._signature.inputs

    @property
    def placement(self) -> tuple[Placement, ...]:
        """Nodes of the lowered program, a delegate as one, by what it was lowered to."""
        counts = sorted(self._precisions.items())
        return tuple(Placement("cpu", name, count) for name, count in counts if count)

    @property
    def effective(self) -> tuple[tuple[str, str], ...]:
        """Threads of its pool, delegates, and what runs on portable kernels instead."""
        pool = _POOL.needed()
        left = Counter(name for name in self._nodes if name != DELEGATE)
        return (
            ("num_threads", str(pool._threadpool_get_thread_count())),
            ("delegates", str(len(self._nodes) - left.total())),
            ("not_delegated", ", ".join(f"{n} {name}" for name, n in sorted(left.items()))),
        )

    def bind(self, feeds: Mapping[str, Array]) -> Call:
        """Make the input tensors once."""
        import torch

        self._inputs = [torch.from_numpy(np.array(feeds[s.name])) for s in self._signature.inputs]

        def call() -> None:
            self._result = self._method.execute(self._inputs)

        return call

    def outputs(self) -> dict[str, Array]:
        """Copies of the outputs of the last inference."""
        pairs = zip(self._signature.outputs, self._result, strict=True)
        return {spec.name: np.array(found.numpy()) for spec, found in pairs}


class ExecuTorchCpu:
    """ExecuTorch's portable runtime."""

    def probe(self) -> RuntimeInfo:
        """Available in its environment."""
        if _RUNTIME.module is None:
            return RuntimeInfo(False, None, None, _RUNTIME.missing, _REMEDY, format="executorch")
        return RuntimeInfo(
            True, version("executorch"), "cpu", format="executorch", precisions=_PRECISIONS
        )

    def load(self, model: Path, target: Target) -> ExecuTorchSession:
        """Set the thread pool, then load the method.

        Raises: ModelError for a precision or an option that does not exist.
        """
        runtime, pool = _RUNTIME.needed(), _POOL.needed()
        if target.precision not in _PRECISIONS or further_options(target):
            raise ModelError(
                FailureKind.BAD_INPUT,
                "executorch-cpu has the precisions fp32 and int8 and no further options",
            )
        pool._unsafe_reset_threadpool(target.threads)
        nodes = json.loads(model.with_name(NODES).read_text())
        precisions = json.loads(model.with_name(PRECISIONS).read_text())
        program = runtime.Runtime.get().load_program(model)
        return ExecuTorchSession(program, read_signature(model), nodes, precisions)


PLUGIN = ExecuTorchCpu()
