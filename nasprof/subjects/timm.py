"""Networks of the timm library with random weights: `timm:efficientnet_lite0`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from nasprof.subjects._subject import Subject, image, shown
from profiler.core.errors import InputError, UnavailableError
from profiler.core.tensor import TensorSpec

if TYPE_CHECKING:
    from torch import nn

_PREFIX = "timm:"


@dataclass(frozen=True, slots=True)
class TimmSource:
    """Every architecture that the installed timm knows; nothing is downloaded."""

    example: str = "timm:efficientnet_lite0"

    def claims(self, reference: str) -> bool:
        """References that begin with `timm:`."""
        return reference.startswith(_PREFIX)

    def resolve(self, reference: str, inputs: tuple[TensorSpec, ...] | None) -> Subject:
        """Find an architecture by name.

        Raises: InputError for an unknown name, UnavailableError without the library.
        """
        timm = import_timm()
        name = reference.removeprefix(_PREFIX)
        if ":" in name or not timm.is_model(name):
            raise InputError(_unknown(timm, name))
        shape = timm.get_pretrained_cfg(name).input_size
        return Subject(
            text=reference,
            inputs=inputs or (image(tuple(shape)),),
            build=lambda seed: _build(timm, name),
            source=f"timm {version('timm')}",
        )


def import_timm() -> Any:
    """Import timm.

    Raises: UnavailableError with the command that installs it, or that says which library beside
    it does not load: timm imports torchvision, whose build must match the installed torch.
    """
    try:
        import timm
    except ImportError as error:
        raise UnavailableError(
            f'timm cannot be used ({error}); pip install "nasprof[timm]"'
        ) from error
    except RuntimeError as error:
        raise UnavailableError(
            f"timm cannot be used: the torchvision that it imports does not load ({error}); "
            "install the torchvision build that belongs to the installed torch"
        ) from error
    return timm


def _build(timm: Any, name: str) -> nn.Module:
    network: nn.Module = timm.create_model(name, pretrained=False)
    return network


def _unknown(timm: Any, name: str) -> str:
    close = difflib.get_close_matches(name, timm.list_models(), n=4, cutoff=0.5)
    hint = f"; close names: {', '.join(close)}" if close else ""
    return f"timm {version('timm')} has no model {shown(name)}{hint}"


PLUGIN = TimmSource()
