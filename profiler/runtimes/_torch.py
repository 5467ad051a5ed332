"""What the two torch targets share: a program of torch.export, run in one of several ways."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from exporters.torch_program import NAMES
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind, Placement
from profiler.core.plain import from_plain
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.runtimes._runtime import Array, Call, DeviceCall

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_SHORT = {dtype: name for name, dtype in _DTYPES.items()}
_GRAPH_WARM_UPS = 3


class TorchSession:
    """A network on one device, run eagerly, traced, compiled or as a CUDA graph."""

    def __init__(
        self,
        network: Any,
        specs: tuple[TensorSpec, ...],
        output_names: tuple[str, ...],
        target: Target,
        mode: str,
    ) -> None:
        self._network = network
        self._specs = specs
        self._output_names = output_names
        self._device = torch.device(target.device)
        self._dtype = _DTYPES[target.precision]
        self._mode = mode
        self._states = [*network.parameters(), *network.buffers()]
        self._inputs: tuple[torch.Tensor, ...] = ()
        self._result: Any = None

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs in the network's order."""
        return self._specs

    @property
    def placement(self) -> tuple[Placement, ...]:
        """Weights by the device and type that they really have; torch has no count of nodes."""
        held = Counter(
            (tensor.device.type, _SHORT.get(tensor.dtype, str(tensor.dtype)))
            for tensor in self._states
            if tensor.is_floating_point()
        )
        places = sorted(held) or [(self._device.type, _SHORT[self._dtype])]
        return tuple(Placement(device, precision, None) for device, precision in places)

    @property
    def effective(self) -> tuple[tuple[str, str], ...]:
        """The way of running, threads, and what decides the precision of matrix products."""
        found = [("mode", self._mode), ("num_threads", str(torch.get_num_threads()))]
        if self._device.type == "cuda":
            found += [
                ("matmul_tf32", str(torch.backends.cuda.matmul.allow_tf32)),
                ("cudnn_tf32", str(torch.backends.cudnn.allow_tf32)),
                ("cudnn_benchmark", str(torch.backends.cudnn.benchmark)),
                ("peak_allocated_bytes", str(torch.cuda.max_memory_allocated(self._device))),
            ]
        return tuple(found)

    def bind(self, feeds: Mapping[str, Array]) -> Call:
        """Copy the inputs to the device once."""
        self._inputs = tuple(self._tensor(feeds[spec.name]) for spec in self._specs)
        if self._device.type == "cpu":
            return self._run
        run = self._captured() if self._mode == "graph" else self._run
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        return DeviceCall(
            begin=start.record,
            run=run,
            end=end.record,
            wait=end.synchronize,
            device_ns=lambda: round(start.elapsed_time(end) * 1e6),
            transfer=self._transfer(),
        )

    def _transfer(self) -> Call:
        hosts = [tensor.cpu().pin_memory() for tensor in self._inputs]

        def copy() -> None:
            for device, host in zip(self._inputs, hosts, strict=True):
                device.copy_(host, non_blocking=True)
            for tensor in self._leaves():
                tensor.cpu()

        return copy

    def outputs(self) -> dict[str, Array]:
        """Copies of the outputs of the last inference, halves as single precision."""
        found = {}
        for name, tensor in zip(self._output_names, self._leaves(), strict=True):
            wide = tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor
            found[name] = np.array(wide.detach().cpu().numpy())
        return found

    def _run(self) -> None:
        self._result = self._network(*self._inputs)

    def _captured(self) -> Callable[[], object]:
        """Record one inference as a CUDA graph; the memory of its tensors is the graph's."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_GRAPH_WARM_UPS):
                self._run()
        torch.cuda.current_stream().wait_stream(side)
        graph: Any = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._run()
        replay: Callable[[], object] = graph.replay
        return replay

    def _tensor(self, value: Array) -> torch.Tensor:
        tensor = torch.from_numpy(np.array(value))
        if tensor.is_floating_point():
            tensor = tensor.to(self._dtype)
        return tensor.to(self._device)

    def _leaves(self) -> list[torch.Tensor]:
        return list(torch.utils._pytree.tree_leaves(self._result))


def load(path: Path, target: Target, modes: tuple[str, ...]) -> TorchSession:
    """Load a program on the target's device; the option `mode` says how it is run.

    Raises: ModelError for a precision or an option that does not exist.
    """
    mode = _options(target, modes)
    torch.set_grad_enabled(False)
    torch.set_num_threads(target.threads)
    # Pinned: by default cuDNN rounds the inputs of float32 convolutions to 10 bits.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    extra = {NAMES: ""}
    program = torch.export.load(path, extra_files=extra)
    names = json.loads(extra[NAMES])
    specs = from_plain(tuple[TensorSpec, ...], names["inputs"])
    network: Any = program.module(check_guards=False)
    network = network.to(target.device)
    if target.precision != "fp32":
        network = network.to(_DTYPES[target.precision])
    session = TorchSession(network, specs, tuple(names["outputs"]), target, mode)
    if mode == "compile":
        session._network = torch.compile(network, fullgraph=True, dynamic=False)
    if mode == "jit":
        session._network = _traced(network, specs, target)
    return session


def _options(target: Target, modes: tuple[str, ...]) -> str:
    if target.precision not in _DTYPES:
        raise ModelError(
            FailureKind.WRONG_PRECISION,
            f"{target.runtime} runs {', '.join(_DTYPES)}, not {target.precision}",
        )
    wanted = dict(target.options)
    mode = wanted.pop("mode", modes[0])
    if mode not in modes or wanted:
        raise ModelError(
            FailureKind.BAD_INPUT, f"{target.runtime} has one option, mode = {'|'.join(modes)}"
        )
    return mode


def _traced(network: Any, specs: tuple[TensorSpec, ...], target: Target) -> Any:
    examples = []
    for spec in specs:
        sizes = [size for size in spec.shape or () if isinstance(size, int)]
        tensor = torch.zeros(sizes, dtype=getattr(torch, spec.dtype))
        if tensor.is_floating_point():
            tensor = tensor.to(_DTYPES[target.precision])
        examples.append(tensor)
    traced = torch.jit.trace(network, tuple(examples), check_trace=False)
    return torch.jit.optimize_for_inference(torch.jit.freeze(traced.eval()))
