"""What a module computes, as a hash: code, settings and every byte of its weights."""

from __future__ import annotations

import enum
import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from nasprof.subjects._code import UnknownCodeError, class_code, function_code

_PLAIN = (
    *(bool, int, float, complex, str, bytes, type(None), type(...), range, slice, enum.Enum),
    *(np.generic, torch.dtype, torch.device, torch.memory_format, torch.layout),
)
_STATE = frozenset({"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"})
_BASE = frozenset(vars(nn.Module()))


def fingerprint(module: nn.Module) -> str | None:
    """Hash a module; None when something in it cannot be described, so that nothing is assumed.

    Covers the source of all classes and functions with what was imported from their folders, plain
    attributes, parameters and buffers. Training mode and gradients are no part of it.
    """
    fingerprint = _Fingerprint()
    try:
        fingerprint.module(module)
    except (UnknownCodeError, RecursionError, ValueError):
        return None
    return fingerprint.digest.hexdigest()


class _Fingerprint:
    """A walk over a module; what occurs again is named by its number."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._seen: dict[int, int] = {}
        self._classes: dict[type, bytes] = {}

    def module(self, module: nn.Module) -> None:
        for name, part in module.named_modules(remove_duplicate=False):
            new = id(part) not in self._seen
            number = self._seen.setdefault(id(part), len(self._seen))
            self._text(f"module {name} {number}")
            if new:
                self._part(part)

    def _part(self, part: nn.Module) -> None:
        if isinstance(part, torch.jit.ScriptModule):
            raise UnknownCodeError
        self._class(type(part))
        for key, value in sorted(vars(part).items()):
            # Of what every module has only hooks that were set say anything.
            if key in _STATE or (key in _BASE and (key == "training" or not value)):
                continue
            self._text(f"{key}=")
            self.value(value)
        for group in (part._parameters, part._buffers):
            for key, tensor in group.items():
                self._text(f"{key}:")
                self.value(tensor)

    def value(self, value: Any) -> None:
        if isinstance(value, _PLAIN):
            self._text(f"{type(value).__name__} {value!r}")
        elif isinstance(value, torch.Tensor):
            self._tensor(value)
        elif isinstance(value, np.ndarray) and value.dtype.kind != "O":
            self._text(f"{value.dtype} {value.shape}")
            self.digest.update(value.tobytes())
        elif isinstance(value, nn.Module):
            self.module(value)
        elif isinstance(value, Mapping):
            self._all(type(value).__name__, (x for pair in value.items() for x in pair))
        elif isinstance(value, tuple | list):
            self._all(type(value).__name__, value)
        elif isinstance(value, set | frozenset):
            self._all("set", sorted(value, key=repr))
        elif is_dataclass(value) and not isinstance(value, type):
            self._class(type(value))
            self._all("fields", (getattr(value, field.name) for field in fields(value)))
        else:
            self._code(value)

    def _code(self, value: Any) -> None:
        if isinstance(value, type):
            self._class(value)
        elif isinstance(value, functools.partial):
            self._all("partial", (value.func, value.args, value.keywords))
        elif isinstance(value, MethodType):
            self._all("method", (value.__func__, value.__self__))
        elif isinstance(value, FunctionType):
            self.digest.update(function_code(value))
            cells = tuple(cell.cell_contents for cell in value.__closure__ or ())
            self._all("function", (cells, value.__defaults__, value.__kwdefaults__))
        elif isinstance(value, BuiltinFunctionType) and isinstance(
            value.__self__, ModuleType | type | None
        ):
            self._text(f"builtin {value.__module__}.{value.__qualname__}")
        else:
            raise UnknownCodeError

    def _class(self, kind: type) -> None:
        if kind not in self._classes:
            self._classes[kind] = class_code(kind)
        self.digest.update(self._classes[kind])

    def _all(self, kind: str, values: Iterable[Any]) -> None:
        self._text(f"{kind}(")
        for value in values:
            self.value(value)
        self._text(")")

    def _tensor(self, tensor: torch.Tensor) -> None:
        lazy = isinstance(tensor, nn.parameter.UninitializedTensorMixin)
        if lazy or tensor.is_meta or tensor.layout != torch.strided or tensor.is_quantized:
            raise UnknownCodeError
        self._text(f"{tensor.dtype} {tuple(tensor.shape)}")
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        if flat.numel():
            self.digest.update(memoryview(flat.view(torch.uint8).numpy()))

    def _text(self, text: str) -> None:
        self.digest.update(f"{text}\0".encode())
