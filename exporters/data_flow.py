"""Whether a network lets the values of its inputs decide which Python code runs.

A trace freezes such a decision without an error, so it has to be found before.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_LIBRARY = str(Path(torch.__file__).parent)
_ESCAPES = frozenset({"numpy", "tolist", "__array__", "__dlpack__", "data_ptr"})


def run_watched(network: nn.Module, inputs: Sequence[torch.Tensor]) -> tuple[Any, tuple[str, ...]]:
    """Run the network and list where it turned values that depend on an input into Python's.

    Each entry is `operation at file:line`. Shapes are no values, and neither are parameters and
    constants: only what was computed from an input counts.
    """
    if isinstance(network, torch.jit.ScriptModule):
        return network(*inputs), ()  # its control flow is part of the graph
    watch = _Values(inputs)
    with watch, _Escapes(watch):
        outputs = network(*inputs)
    return outputs, tuple(dict.fromkeys(watch.reads))


class _Values(TorchDispatchMode):
    """Follows the storages that depend on an input through every operator."""

    def __init__(self, inputs: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self.depending = {_storage(tensor) for tensor in inputs}
        self.reads: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # "Skip" imports the whole compiler at the first operator, which takes seconds.
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        read = _storages((args, kwargs))
        if self.depending.isdisjoint(read):
            # A new tensor may lie where a depending one was freed.
            self.depending.difference_update(_storages(out) - read)
            return out
        self.depending |= _storages(out)
        if func._schema.is_mutable:
            self.depending |= read
        if any(isinstance(leaf, bool | int | float) for leaf in tree_leaves(out)):
            self.note(str(func))
        return out

    def note(self, operation: str) -> None:
        """Record a read with the line of the network's code that made it."""
        frames = [
            frame
            for frame in traceback.extract_stack()
            if not frame.filename.startswith((_LIBRARY, __file__, "<"))
        ]
        place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        self.reads.append(f"{operation}{place}")


class _Escapes(TorchFunctionMode):
    """Sees what leaves torch without an operator: arrays, lists and addresses."""

    def __init__(self, values: _Values) -> None:
        super().__init__()
        self._values = values

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in _ESCAPES and not self._values.depending.isdisjoint(_storages(args)):
            self._values.note(name)
        return func(*args, **(kwargs or {}))


def _storages(tree: Any) -> set[int]:
    leaves: Iterable[Any] = tree_leaves(tree)
    return {_storage(leaf) for leaf in leaves if isinstance(leaf, torch.Tensor)}


def _storage(tensor: torch.Tensor) -> int:
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):  # sparse tensors have none
        return id(tensor)
