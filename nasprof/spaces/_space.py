"""What a search space is: genes in, published text and torch networks out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Genes = tuple[int, ...]
"""One architecture: an integer below the size of each position."""

Choice = str | int | float
"""What a gene's value stands for: an operation's name, a channel count."""


class Space(Protocol):
    """A search space; sampling, neighbours and encodings are written once in `_genes`.

    Shapes: `input_shape` is one input without its batch dimension; `input_dtype` is NumPy's name
    (`int64` inputs are token numbers below `input_high`). `task` names the kind of output.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def input_dtype(self) -> str: ...
    @property
    def input_high(self) -> int | None: ...
    @property
    def gene_names(self) -> tuple[str, ...]: ...
    @property
    def choices(self) -> tuple[tuple[Choice, ...], ...]: ...
    @property
    def sizes(self) -> tuple[int, ...]: ...

    def valid(self, genes: Genes) -> bool:
        """Tell whether genes within the sizes are an architecture of the space."""

    def canonical(self, genes: Genes) -> Genes:
        """Return the one set of genes that stands for all that compute the same function."""

    def describe(self, genes: Genes) -> str:
        """Write an architecture as the published text."""

    def parse(self, text: str) -> Genes:
        """Read an architecture from its published text, or its index where there is one.

        Raises: InputError when the text is no architecture of the space.
        """

    def build(self, genes: Genes, *, classes: int = ...) -> nn.Module:
        """Make the network as published; spaces add keyword settings of their own."""

    def small(self, genes: Genes, *, classes: int, channels: int) -> nn.Module:
        """Make a scaled-down network of the same architecture that trains in seconds.

        Shapes: images [N, channels, H, W] of at least 8x8 pixels to scores [N, classes].
        Raises: InputError when the space has no such network.
        """


@runtime_checkable
class Enumerated(Protocol):
    """A space that can list its members: sampled from the list, not by trial."""

    def members(self) -> Sequence[Genes]:
        """All valid genes, in a fixed order."""


@runtime_checkable
class Indexed(Protocol):
    """A space whose published table numbers the architectures."""

    def index_of(self, genes: Genes) -> int:
        """The published number of an architecture."""

    def at(self, index: int) -> Genes:
        """The architecture with a published number.

        Raises: InputError when the number is out of range.
        """


@runtime_checkable
class Batched(Protocol):
    """A space that checks and reduces many candidates at once.

    Shapes: rows of genes [n, genes].
    """

    def valid_rows(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """`valid` of each row."""

    def canonical_rows(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """`canonical` of each row."""


@runtime_checkable
class Repairing(Protocol):
    """A space where few random genes are valid, or some genes do nothing: any genes are mended."""

    def repair(self, genes: Genes) -> Genes:
        """The valid candidate that any genes within the sizes stand for; valid ones stay."""


@runtime_checkable
class Shaped(Protocol):
    """A space where the genes choose the shape of the input too."""

    def shape_of(self, genes: Genes) -> tuple[int, ...]:
        """The shape of one input of an architecture, without its batch dimension."""


@runtime_checkable
class Layered(Protocol):
    """A space with published tables that hold costs of layers, to be added up."""

    def layer_keys(self, genes: Genes) -> tuple[str, ...]:
        """The key of each layer of an architecture, repeated where layers repeat."""
