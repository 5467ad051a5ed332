"""What there is to know of a space, and of one of its candidates."""

from __future__ import annotations

from dataclasses import dataclass

from nasprof.spaces._genes import input_shape, neighbours, space_size
from nasprof.spaces._picture import Picture, picture
from nasprof.spaces._space import Enumerated, Genes, Indexed, Space
from profiler.core.plugins import load, names
from profiler.core.units import si


@dataclass(frozen=True, slots=True)
class SpaceInfo:
    """A space as a line of a list; `size` counts genes, or members where they are listed."""

    name: str
    title: str
    task: str
    genes: int
    size: int
    listed: bool

    @property
    def size_text(self) -> str:
        """The size as people read it: 15,625 or about 7e+22."""
        return f"{self.size:,}" if self.size < 10**10 else f"about {self.size:.0e}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A candidate with its picture and cost.

    Unit: MACs of one input of `input_shape` (multiply and add as one), parameters.
    """

    space: str
    text: str
    genes: Genes
    index: int | None
    canonical: str
    neighbours: int
    input_shape: tuple[int, ...]
    macs: int
    params: int
    picture: Picture

    def lines(self) -> list[str]:
        """All of it as text for a terminal."""
        head = f"{self.space}:{self.text if self.index is None else self.index}"
        shape = "x".join(map(str, self.input_shape))
        same = "itself" if self.canonical == self.text else self.canonical
        return [
            head,
            self.text,
            "",
            self.picture.text(),
            "",
            f"cost for one input of {shape}: {si(self.macs)} MACs, {si(self.params)} parameters",
            f"canonical form: {same}",
            f"neighbours: {self.neighbours}",
        ]


def list_spaces() -> tuple[SpaceInfo, ...]:
    """All spaces by name."""
    return tuple(_info(load("nasprof.spaces", name)) for name in names("nasprof.spaces"))


def show(space: Space, genes: Genes) -> Shown:
    """Draw a candidate and count its network as published."""
    from nasprof.spaces._cost import count_network

    shape = input_shape(space, genes)
    cost = count_network(lambda: space.build(genes), shape, space.input_dtype)
    return Shown(
        space=space.name,
        text=space.describe(genes),
        genes=genes,
        index=space.index_of(genes) if isinstance(space, Indexed) else None,
        canonical=space.describe(space.canonical(genes)),
        neighbours=len(neighbours(space, genes)),
        input_shape=shape,
        macs=cost.macs,
        params=cost.params,
        picture=picture(space, genes),
    )


def _info(space: Space) -> SpaceInfo:
    return SpaceInfo(
        name=space.name,
        title=space.title,
        task=space.task,
        genes=len(space.sizes),
        size=space_size(space),
        listed=isinstance(space, Enumerated),
    )
