"""The widths of a subject's groups of layers as a search space: `pruned:SUBJECT`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from exporters.quiet import quiet
from exporters.seeding import seeded
from nasprof import exporting
from nasprof.prune._method import Plain
from nasprof.prune._surgery import Operation, prepare
from nasprof.prune.l1 import absolute_weights
from nasprof.spaces._space import Choice, Genes
from profiler.core.errors import InputError

PREFIX = "pruned:"
SHARES = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
"""What a group may keep of its units; at least one unit stays."""


@dataclass(frozen=True, slots=True)
class PrunedSpace:
    """A gene for each group of layers that can be cut: the place in `SHARES` of what it keeps.

    Which units go is by the absolute weights of the network as `build` makes it.
    """

    name: str
    title: str
    operation: Operation
    outputs: int
    input_shape: tuple[int, ...]
    gene_names: tuple[str, ...]
    choices: tuple[tuple[Choice, ...], ...]
    sizes: tuple[int, ...]
    task: str = "classification"
    input_dtype: str = "float32"
    input_high: int | None = None

    def valid(self, genes: Genes) -> bool:
        """Every combination is a network."""
        return len(genes) == len(self.sizes)

    def kept(self, genes: Genes) -> tuple[int, ...]:
        """The units that each group keeps."""
        return tuple(
            max(1, math.ceil(group.units * SHARES[gene]))
            for group, gene in zip(self.operation.groups.cuttable, genes, strict=True)
        )

    def canonical(self, genes: Genes) -> Genes:
        """The lowest genes that keep as many units: narrow groups have fewer widths than shares."""
        found = self.from_kept(self.kept(genes))
        assert found is not None
        return found

    def from_kept(self, kept: tuple[int, ...]) -> Genes | None:
        """The genes that keep so many units; None where there are none."""
        genes = []
        for group, units in zip(self.operation.groups.cuttable, kept, strict=True):
            widths = [max(1, math.ceil(group.units * share)) for share in SHARES]
            if units not in widths:
                return None
            genes.append(widths.index(units))
        return tuple(genes)

    def describe(self, genes: Genes) -> str:
        """The units that each group keeps: `12-24-16`."""
        return "-".join(map(str, self.kept(genes)))

    def parse(self, text: str) -> Genes:
        """Read the units that each group keeps.

        Raises: InputError when the text is no network of the space.
        """
        parts = text.split("-")
        if len(parts) == len(self.sizes) and all(part.isdecimal() for part in parts):
            found = self.from_kept(tuple(map(int, parts)))
            if found is not None:
                return found
        whole = self.describe(tuple(size - 1 for size in self.sizes))
        raise InputError(f"{text!r} is no network of {self.name}; the whole one is {whole}")

    def build(self, genes: Genes, *, classes: int | None = None) -> nn.Module:
        """Make the network with fewer channels; it keeps the weights of what is left.

        Raises: InputError for more classes than it tells apart.
        """
        if (classes or 0) > self.outputs:
            raise InputError(f"{self.name} tells {self.outputs} classes apart, not {classes}")
        kept = self.kept(genes)
        groups = self.operation.groups.cuttable
        counts = [group.units - units for group, units in zip(groups, kept, strict=True)]
        return self.operation.cut(counts)

    def small(self, genes: Genes, *, classes: int, channels: int) -> nn.Module:
        """The network itself behind a resize of the images, scoring its first classes."""
        return _Fitted(self.build(genes, classes=classes), self.input_shape, classes)


class _Fitted(nn.Module):
    """Shapes: images [N, 1 or C, any H, any W] to scores [N, classes]."""

    def __init__(self, network: nn.Module, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.network, self.shape, self.classes = network, shape, classes

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        channels, *size = self.shape
        images = images.expand(-1, channels, -1, -1)
        if images.shape[2:] != torch.Size(size):
            images = nn.functional.interpolate(
                images, size=size, mode="bilinear", align_corners=False
            )
        scores: torch.Tensor = self.network(images)
        return scores[:, : self.classes]


def pruned_space(reference: str) -> PrunedSpace:
    """Open `pruned:SUBJECT`.

    Raises: InputError when there is no such subject, or none of its channels can go.
    """
    subject = exporting.resolve(reference.removeprefix(PREFIX))
    shape = tuple(size for size in (subject.inputs[0].shape or ())[1:] if isinstance(size, int))
    if len(subject.inputs) != 1 or len(shape) != 3 or subject.inputs[0].dtype != "float32":
        raise InputError(f"{subject.text} takes no images; the space needs a classifier of images")
    with quiet(), seeded(0):
        network = subject.build(0).eval()
        example = torch.randn(1, *shape)
        scores = network(example)
    if not isinstance(scores, torch.Tensor) or scores.ndim != 2:
        raise InputError(f"{subject.text} gives no scores of classes, [images, classes]")
    operation = prepare(Plain(network, absolute_weights()), (example,))
    names = tuple(group.name for group in operation.groups.cuttable)
    if not names:
        raise InputError(f"no channel of {subject.text} can be cut")
    return PrunedSpace(
        name=f"{PREFIX}{subject.text}",
        title=f"widths of {subject.text}",
        operation=operation,
        outputs=int(scores.shape[1]),
        input_shape=shape,
        gene_names=names,
        choices=(SHARES,) * len(names),
        sizes=(len(SHARES),) * len(names),
    )
