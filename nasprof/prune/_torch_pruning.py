"""torch-pruning, an optional library."""

from __future__ import annotations

from types import ModuleType

from profiler.core.errors import UnavailableError


def torch_pruning() -> ModuleType:
    """Import it.

    Raises: UnavailableError with the command that installs it.
    """
    try:
        import torch_pruning as library
    except ImportError as error:
        raise UnavailableError(
            f'pruning needs torch-pruning ({error}); pip install "nasprof[prune]"'
        ) from error
    found: ModuleType = library
    return found
