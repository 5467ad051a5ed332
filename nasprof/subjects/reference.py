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
    "resnet18": ("resnet", 224),
    "resnet34": ("resnet", 224),
    "resnet50": ("resnet", 224),
    "mobilenet_v2": ("mobilenet", 224),
    "vit_tiny": ("vit", 224),
    "resnet56_c10": ("cifar_resnet", 32),
    "resnet32_wide_c10": ("cifar_resnet", 32),
    "resnet164_c100": ("cifar_resnet", 32),
    "densenet40_c10": ("cifar_densenet", 32),
    "densenet40_c100": ("cifar_densenet", 32),
    "vgg16_c10": ("cifar_vgg", 32),
    "vgg16_c100": ("cifar_vgg", 32),
    "vgg19_c100": ("cifar_vgg", 32),
}
"""Network -> module of `_reference` that defines the function of that name, pixels of a side."""

_PREFIX = "reference:"


@dataclass(frozen=True, slots=True)
class ReferenceSource:
    """Networks with published parameter and MAC counts and random weights.

    1000 classes; those that end in `_c10` and `_c100` are for CIFAR.
    """

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
        module, side = NETWORKS[name]
        file = Path(__file__).with_name("_reference") / f"{module}.py"
        return Subject(
            text=reference,
            inputs=inputs or (image((3, side, side)),),
            build=lambda seed: _build(name),
            source=hashlib.sha256(file.read_bytes()).hexdigest(),
        )


def _build(name: str) -> nn.Module:
    module = import_module(f"nasprof.subjects._reference.{NETWORKS[name][0]}")
    network: nn.Module = getattr(module, name)()
    return network


PLUGIN = ReferenceSource()
