"""Weights from a file of tensors into a module, every key accounted for."""

from __future__ import annotations

import pickle  # noqa: TID251 - for the type of the error alone; nothing is unpickled by it
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from profiler.core.errors import InputError
from profiler.core.units import printable

_SHOWN = 4
_WRAPPERS = ("state_dict", "model_state_dict", "model")


def load_weights(module: nn.Module, path: Path) -> None:
    """Load weights strictly: every key of the module and of the file must meet, with its shape.

    `.safetensors` or what `torch.save` wrote of a state dictionary; a file that holds anything but
    tensors is refused and none of it is run.
    Raises: InputError naming the file and the keys.
    """
    state = _read(path)
    own = module.state_dict()
    # Counters of BatchNorm layers are missing from files of old versions and mean nothing here.
    missing = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in own]
    others = [
        f"{key} {list(state[key].shape)} instead of {list(own[key].shape)}"
        for key in own.keys() & state.keys()
        if state[key].shape != own[key].shape
    ]
    faults = [
        f"{len(names)} {what} ({_some(names)})"
        for names, what in (
            (missing, "missing"),
            (unexpected, "unexpected"),
            (sorted(others), "of another shape"),
        )
        if names
    ]
    if faults:
        raise InputError(f"the weights {_shown(path)} do not fit the network: {'; '.join(faults)}")
    module.load_state_dict(state, strict=False)


def _read(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        kind = "is a directory" if path.is_dir() else "does not exist"
        raise InputError(f"the weights file {_shown(path)} {kind}")
    try:
        if path.suffix == ".safetensors":
            found: Any = load_file(path, device="cpu")
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{_shown(path)} holds more than tensors, and nothing of it was run; save the module's "
            "state_dict() alone, best as .safetensors"
        ) from error
    except Exception as error:  # the readers raise whatever the bytes make them stumble over
        raise _no_weights(path) from error
    return _tensors(found, path)


def _tensors(found: Any, path: Path) -> dict[str, torch.Tensor]:
    """Take the state dictionary out of what training scripts wrap around it."""
    for wrapper in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping) or not found:
        raise _no_weights(path)
    if not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in found.items()):
        raise _no_weights(path)
    prefix = "module." if all(key.startswith("module.") for key in found) else ""
    return {key.removeprefix(prefix): value for key, value in found.items()}


def _no_weights(path: Path) -> InputError:
    return InputError(
        f"{_shown(path)} is no file of weights; give a .safetensors file or a state_dict saved by "
        "torch.save"
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(printable(name) for name in names[:_SHOWN]) + more


def _shown(path: Path) -> str:
    return printable(str(path))
