"""The reference networks, in plain torch: `reference:resnet18`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from nasprof.subjects._subject import Subject, image, shown
from profiler.core.errors import InputError
from profiler.core.tensor import TensorSpec

if TYPE_CHECKING:
    from torch import nn

NETWORKS = {
    "resnet18": "resnet",
    "resnet50": "resnet",
    "mobilenet_v2": "mobilenet",
    "vit_tiny": "vit",
}
"""Network and the module of `_reference` that defines the function of that name."""

_PREFIX = "reference:"


@dataclass(frozen=True, slots=True)
class ReferenceSource:
    """Four networks with published parameter and MAC counts, random weights, 1000 classes."""

    example: str = "reference:resnet18"

    def claims(self, reference: str) -> bool:
        """References that begin with `reference:`."""
        return reference.startswith(_PREFIX)

    def resolve(self, reference: str, inputs: tuple[TensorSpec, ...] | None) -> Subject:
        """Find a network by name.

        Raises: InputError when there is none of that name.
        """
        name = reference.removeprefix(_PREFIX)
        if name not in NETWORKS:
            known = ", ".join(NETWORKS)
            raise InputError(f"unknown reference network {shown(name)}; there are: {known}")
        file = Path(__file__).with_name("_reference") / f"{NETWORKS[name]}.py"
        return Subject(
            text=reference,
            inputs=inputs or (image((3, 224, 224)),),
            build=lambda seed: _build(name),
            source=hashlib.sha256(file.read_bytes()).hexdigest(),
        )


def _build(name: str) -> nn.Module:
    module = import_module(f"nasprof.subjects._reference.{NETWORKS[name]}")
    network: nn.Module = getattr(module, name)()
    return network


PLUGIN = ReferenceSource()
