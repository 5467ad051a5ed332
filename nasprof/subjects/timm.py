"""Networks of the timm library with random weights: `timm:efficientnet_lite0`."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from nasprof.subjects._subject import Subject, image, shown
from profiler.core.errors import InputError, UnavailableError
from profiler.core.tensor import TensorSpec

if TYPE_CHECKING:
    from torch import nn

_PREFIX = "timm:"
_STAND_INS: list[Any] = []  # operators are gone when nobody refers to their library


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
    """Import timm, also where torchvision's compiled operators do not load.

    Raises: UnavailableError with the command that installs it.
    """
    try:
        _prepare_torchvision()
        import timm
    except ImportError as error:
        raise UnavailableError(
            f'timm cannot be used ({error}); pip install "nasprof[timm]"'
        ) from error
    return timm


def _prepare_torchvision() -> None:
    """Declare the two operators whose absence stops torchvision from being imported.

    A torchvision built for CUDA beside a torch for CPU lacks its compiled part; networks need none
    of it. Does nothing where torchvision works.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise ImportError(f"torchvision does not load: {error}") from error
    else:
        return
    import torch

    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _STAND_INS.append(library)


def _build(timm: Any, name: str) -> nn.Module:
    network: nn.Module = timm.create_model(name, pretrained=False)
    return network


def _unknown(timm: Any, name: str) -> str:
    close = difflib.get_close_matches(name, timm.list_models(), n=4, cutoff=0.5)
    hint = f"; close names: {', '.join(close)}" if close else ""
    return f"timm {version('timm')} has no model {shown(name)}{hint}"


PLUGIN = TimmSource()
