"""A live torch module as a subject."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from nasprof.subjects._subject import InputShape, Subject, declared_inputs, specs
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn


def subject_of_module(module: nn.Module, input_shapes: InputShape | None = None) -> Subject:
    """Refer to a module as it is now; what is built of it are copies, the module stays untouched.

    Shapes: `input_shapes` without the batch dimension; by default the module's own `input_shape`.
    Raises: InputError when neither is given.
    """
    from exporters.network import own_copy

    name = type(module).__qualname__
    inputs = specs(input_shapes) or declared_inputs(module)
    if inputs is None:
        raise InputError(
            f"the module {name} does not say what it takes; pass input_shape=(3, 224, 224) "
            "(without the batch) or set that attribute on it"
        )
    return Subject(
        text=name,
        inputs=inputs,
        build=lambda seed: own_copy(module),
        source=hashlib.sha256(type(module).__module__.encode()).hexdigest(),
    )
