"""Run a torch module without weights and without arithmetic, and write down its operators.

The module runs on torch's meta device, where tensors have shapes and no data. What it calls is
written down in ONNX's terms, so that one set of rules counts modules and exported files alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from exporters.meta_operators import VIEW, described, tensors
from exporters.onnx_types import Node, TypeInfo
from profiler.core.errors import InputError

_DTYPES: Mapping[torch.dtype, int] = {
    torch.float32: 1, torch.uint8: 2, torch.int8: 3, torch.int16: 5, torch.int32: 6,
    torch.int64: 7, torch.bool: 9, torch.float16: 10, torch.float64: 11, torch.complex64: 14,
    torch.complex128: 15, torch.bfloat16: 16,
}  # fmt: skip
# Stands for a number that torch takes where ONNX takes a tensor.
_SCALAR = "scalar"
# Functions that reach the dispatcher in parts.
_COMPOSED = frozenset(
    {
        "scaled_dot_product_attention", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
        "adaptive_avg_pool3d",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trace:
    """The operators that a module called, in order.

    `types` has every value by name, `weights` the names of parameters and buffers, `written` those
    of results that took the place of an operator's input.
    """

    nodes: tuple[Node, ...]
    types: Mapping[str, TypeInfo]
    weights: frozenset[str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: int
    weight_bytes: int
    written: frozenset[str] = frozenset()

    def used(self) -> Trace:
        """Without the operators that no output needs, which exporters leave out.

        What is written in place into memory that views share stays, since those who read it through
        a view do not name it.
        """
        needed = {*self.outputs, *self._shared()}
        kept = []
        for node in reversed(self.nodes):
            if needed.intersection(node.outputs):
                needed.update(node.inputs)
                kept.append(node)
        return replace(self, nodes=tuple(reversed(kept)))

    def _shared(self) -> frozenset[str]:
        """Results that were written in place into memory that a view shares."""
        views = [node for node in self.nodes if node.domain == VIEW]
        touched = {name for node in views for name in (*node.inputs, *node.outputs)}
        found: set[str] = set()
        for node in self.nodes:
            if touched.intersection(node.inputs):
                new = self.written.intersection(node.outputs)
                touched |= new
                found |= new
        return frozenset(found)


def trace_module(module: nn.Module, inputs: Sequence[torch.Tensor]) -> Trace:
    """Write down what a module does to inputs of these shapes; the module itself is not changed.

    Shapes: `inputs` may be tensors of any device; only their shapes and types are looked at.
    Raises: InputError when the module cannot run without data, as when it looks at a value.
    """
    state = {
        name: tensor.detach().to("meta")
        for name, tensor in (*module.named_parameters(), *module.named_buffers())
    }
    feeds = tuple(tensor.detach().to("meta") for tensor in inputs)
    recorder = _Recorder()
    weights = frozenset({_SCALAR, *map(recorder.name_of, state.values())})
    names = tuple(recorder.name_of(tensor) for tensor in feeds)
    training = module.training
    module.eval()
    try:
        with _scopes(module, recorder), _Functions(recorder), recorder, torch.no_grad():
            result = torch.func.functional_call(module, state, feeds)
    except (NotImplementedError, RuntimeError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"{type(module).__name__} cannot be counted without running it ({reason}); "
            "export it and count the file"
        ) from error
    finally:
        module.train(training)
    return Trace(
        tuple(recorder.nodes),
        recorder.types,
        weights,
        names,
        tuple(recorder.name_of(tensor) for tensor in tensors(result)),
        sum(parameter.numel() for parameter in module.parameters()),
        sum(tensor.numel() * tensor.element_size() for tensor in state.values()),
        frozenset(recorder.written),
    )


class _Recorder(TorchDispatchMode):
    """Writes down every operator that reaches the dispatcher."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.types: dict[str, TypeInfo] = {_SCALAR: TypeInfo("tensor", 1, ())}
        self._names: dict[int, str] = {}
        # Tensors are told apart by identity, so none of them may go away.
        self._kept: list[torch.Tensor] = []
        # Path and class of every module that is running, and the function of torch.
        self.modules: list[tuple[str, str]] = []
        self.written: set[str] = set()
        self.function = ""

    def name_of(self, tensor: torch.Tensor) -> str:
        """The name of a tensor; one that was not seen before gets one."""
        found = self._names.get(id(tensor))
        return self._new_name(tensor) if found is None else found

    def _new_name(self, tensor: torch.Tensor) -> str:
        name = f"t{len(self._kept)}"
        self._names[id(tensor)] = name
        self._kept.append(tensor)
        self.types[name] = TypeInfo("tensor", _DTYPES.get(tensor.dtype, 0), tuple(tensor.shape))
        return name

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        names = {id(tensor): self.name_of(tensor) for tensor in tensors((args, given))}
        result = func(*args, **given)
        call = described(func, args, given, result)
        path, caller = self.modules[-1] if self.modules else ("", "")
        if self.function.startswith("adaptive_avg_pool") and call.op_type == "ReduceMean":
            # What torch takes apart into a mean is one operator to those who see the module.
            call = call._replace(op_type="GlobalAveragePool", attributes={})
        inputs = tuple(names[id(tensor)] if tensor is not None else "" for tensor in call.inputs)
        if call.with_scalar:
            inputs = (*inputs, _SCALAR)
        # An operator that works in place gives its input back: under a new name from here on.
        outputs = tuple(self._new_name(tensor) for tensor in tensors(result))
        self.written.update(
            name
            for name, tensor in zip(outputs, tensors(result), strict=True)
            if id(tensor) in names
        )
        # As the older exporter names its nodes.
        name = f"{f'/{path}/' if path else ''}{call.op_type}_{len(self.nodes)}"
        self.nodes.append(
            Node(
                call.op_type,
                call.domain,
                "",
                name,
                inputs,
                outputs,
                call.attributes,
                b"",
                None,
                caller,
                self.function,
            )
        )
        return result


class _Functions(TorchFunctionMode):
    """Tells the recorder which function of torch is running, where it is a composed one."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if self._recorder.function or name not in _COMPOSED:
            return func(*args, **(kwargs or {}))
        self._recorder.function = name
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self._recorder.function = ""


@contextmanager
def _scopes(module: nn.Module, recorder: _Recorder) -> Iterator[None]:
    """Tell the recorder which submodule is running."""
    handles = []

    def enter(path: str, part: nn.Module) -> Any:
        kind = type(part)
        scope = (path, f"{kind.__module__}.{kind.__qualname__}")
        return lambda *_: recorder.modules.append(scope)

    def leave(*_: Any) -> None:
        recorder.modules.pop()

    for path, part in module.named_modules():
        handles.append(part.register_forward_pre_hook(enter(path, part), prepend=True))
        handles.append(part.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
