"""A network of the person's own: `path/to/file.py:factory`."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from exporters.quiet import quiet
from nasprof.subjects._subject import Subject, declared_inputs, place
from profiler.core.errors import InputError
from profiler.core.tensor import TensorSpec
from profiler.core.units import printable

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class PythonFileSource:
    """A callable without arguments that returns a torch module; its file runs in this process."""

    example: str = "path/to/file.py:factory"

    def claims(self, reference: str) -> bool:
        """Paths that end in `.py`, with or without a name behind them."""
        return reference.endswith(".py") or ".py:" in reference

    def resolve(self, reference: str, inputs: tuple[TensorSpec, ...] | None) -> Subject:
        """Run the file and find the factory in it.

        Input shapes are the person's, or the attribute `input_shape` (without batch dimension; and
        `input_dtype`) of the factory or of the module that it makes.
        Raises: InputError naming what is missing or what the code raised.
        """
        text, separator, name = reference.rpartition(":")
        path = Path(text if separator else reference)
        if not separator or not name:
            raise InputError(f"{place(path)} names no factory; write {path.name}:FACTORY")
        module = run_file(path)
        factory = function_in(module, place(path), name)

        def build(seed: int) -> nn.Module:
            return _build(factory, f"{place(path)}:{name}")

        return Subject(
            text=f"{place(path)}:{name}",
            inputs=inputs or declared_inputs(factory) or _inputs_of(build, f"{path.name}:{name}"),
            build=build,
            source=hashlib.sha256(path.read_bytes()).hexdigest(),
        )


def run_file(path: Path) -> ModuleType:
    """Import a file under a name of its own; the same bytes are run once.

    Raises: InputError when there is none, or it cannot be imported.
    """
    if not path.is_file():
        kind = "is not a file" if path.exists() else "does not exist"
        raise InputError(f"{printable(str(path))} {kind}; name a Python file with a factory in it")
    digest = hashlib.sha256(f"{path.resolve()}\0".encode() + path.read_bytes()).hexdigest()
    name = f"nasprof_subject_{digest[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # last, so that its files hide no library
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{place(path)} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with quiet():
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the file can raise anything
        del sys.modules[name]
        raise InputError(f"{place(path)} cannot be imported: {_said(error)}") from error
    return module


def function_in(module: ModuleType, where: str, name: str) -> Callable[..., Any]:
    """A callable of a module by its name; `where` names the module in the error.

    Raises: InputError that lists what the module defines.
    """
    found = getattr(module, name, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    own = [key for key, value in vars(module).items() if _is_own(value, module)]
    there = f"; it defines: {', '.join(own[:10])}" if own else ""
    problem = "no callable" if hasattr(module, name) else "no"
    raise InputError(f"{where} has {problem} {printable(name)!r}{there}")


def _is_own(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _build(factory: Callable[[], Any], text: str) -> nn.Module:
    import copy

    from torch import nn

    try:
        # A module that the file made itself is callable too: it is the network, not its factory.
        network = copy.deepcopy(factory) if isinstance(factory, nn.Module) else factory()
    except (Exception, SystemExit) as error:  # the factory can raise anything
        raise InputError(f"{text} failed: {_said(error)}") from error
    if not isinstance(network, nn.Module):
        raise InputError(f"{text} returned {type(network).__name__}, not a torch.nn.Module")
    return network


def _inputs_of(build: Callable[[int], nn.Module], text: str) -> tuple[TensorSpec, ...]:
    from exporters.seeding import seeded

    with quiet(), seeded(0):
        network = build(0)
    found = declared_inputs(network)
    if found is None:
        raise InputError(
            f"{printable(text)} does not say what it takes; give --input-shape, for example "
            "3x224x224 (without the batch), or set input_shape on the factory or the module"
        )
    return found


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return printable(f"{type(error).__name__}: {lines[0]}".rstrip(": "))


PLUGIN = PythonFileSource()
