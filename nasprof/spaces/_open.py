"""Finding a space: a name, or a person's own file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from nasprof.spaces._space import Space
from profiler.core.errors import InputError
from profiler.core.plugins import load


def open_space(reference: str) -> Space:
    """Open a space by its name, or by a Python file that has a module constant `PLUGIN`.

    The file is the person's own code and is run.
    Raises: InputError when there is no such space or the file has none.
    """
    if not reference.endswith(".py"):
        found: Space = load("nasprof.spaces", reference)
        return found
    path = Path(reference)
    if not path.is_file():
        raise InputError(f"there is no file {reference!r}; give a space's name or its file")
    plugin = getattr(_run(path), "PLUGIN", None)
    missing = [name for name in _NEEDED if not hasattr(plugin, name)]
    if plugin is None or missing:
        what = f"PLUGIN without {', '.join(missing)}" if plugin else "no constant PLUGIN"
        raise InputError(f"{reference} has {what}; see docs/add-a-space.md")
    own: Space = plugin
    return own


def _run(path: Path) -> object:
    name = f"nasprof_own_space_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name while it is being run.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InputError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    return module


_NEEDED = (
    "name",
    "title",
    "task",
    "input_shape",
    "input_dtype",
    "input_high",
    "gene_names",
    "choices",
    "sizes",
    "valid",
    "canonical",
    "describe",
    "parse",
    "build",
    "small",
)
