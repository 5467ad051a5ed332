"""A torch module made ready for export: copied, quiet, on the CPU, with plain named outputs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from exporters.routes import reason
from exporters.samples import Array
from profiler.core.errors import InputError


def own_copy(module: nn.Module) -> nn.Module:
    """Copy a module to the CPU in evaluation mode; the original keeps mode, buffers and device.

    Raises: InputError when it cannot be copied.
    """
    module = getattr(module, "_orig_mod", module)  # torch.compile wraps the module it was given
    # Tensors computed from parameters (pruning masks, weight norm) refuse to be deep-copied.
    computed = {
        id(value): value.detach().clone()
        for part in module.modules()
        for value in (*vars(part).values(), *part._buffers.values())
        if isinstance(value, torch.Tensor) and value.grad_fn is not None
    }
    try:
        copied: nn.Module = copy.deepcopy(module, computed)
    except Exception as error:  # a module's own copying can raise anything
        raise InputError(f"the module cannot be copied for its export: {reason(error)}") from error
    return copied.cpu().eval()


def parameter_count(module: nn.Module) -> int:
    """Elements of all parameters, shared ones once."""
    return sum(parameter.numel() for parameter in module.parameters())


def index_limit(module: nn.Module) -> int:
    """The number of integers that every embedding of the module can look up; 2 without any."""
    tables = [m.num_embeddings for m in module.modules() if isinstance(m, nn.Embedding)]
    return min(tables, default=2)


def tensors(feeds: Mapping[str, Array]) -> tuple[torch.Tensor, ...]:
    """Inputs as torch takes them, in order."""
    return tuple(torch.from_numpy(array.copy()) for array in feeds.values())


def output_names(outputs: Any, taken: Sequence[str]) -> tuple[str, ...]:
    """Name what a module returns: the keys of a dictionary, otherwise `output` or `output_0`...

    Raises: InputError when it returns anything but tensors.
    """
    leaves = _leaves(outputs)
    if not leaves or not all(isinstance(leaf, torch.Tensor) for leaf in leaves):
        kinds = sorted({type(leaf).__name__ for leaf in leaves}) or ["nothing"]
        raise InputError(f"the module returns {', '.join(kinds)}; only tensors can be exported")
    if isinstance(outputs, Mapping):
        named = {str(key): value for key, value in outputs.items() if value is not None}
        if all(isinstance(value, torch.Tensor) for value in named.values()):
            return tuple(f"output_{name}" if name in taken else name for name in named)
    if len(leaves) == 1:
        return ("output",)
    return tuple(f"output_{index}" for index in range(len(leaves)))


def arrays(outputs: Any, names: Sequence[str]) -> dict[str, Array]:
    """What a module returned, as named NumPy arrays."""
    leaves = (leaf.detach().numpy().copy() for leaf in _leaves(outputs))
    return dict(zip(names, leaves, strict=True))


def flattened(network: nn.Module, outputs: Any) -> nn.Module:
    """Wrap a network whose outputs are nested so that it returns a plain tuple of tensors."""
    plain = outputs if isinstance(outputs, tuple | list) else (outputs,)
    if all(isinstance(output, torch.Tensor) for output in plain):
        return network
    return _Flat(network).eval()


class _Flat(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Run the network and keep the tensors alone."""
        return tuple(_leaves(self.network(*inputs)))


def _leaves(outputs: Any) -> list[Any]:
    return [leaf for leaf in tree_leaves(outputs) if leaf is not None]
