"""TransNAS-Bench-101, macro: 3,256 skeletons of residual blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from nasprof.spaces._picture import Picture, chain
from nasprof.spaces._space import Choice, Genes
from nasprof.spaces._transnas import Plan, build
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

BASE = 64
DIGITS, OPTIONAL = (1, 2, 3, 4), (0, 1, 2, 3, 4)
CHOICES: tuple[tuple[Choice, ...], ...] = (DIGITS,) * 4 + (OPTIONAL,) * 2


@dataclass(frozen=True, slots=True)
class TransNasMacro:
    """The skeleton space: 4 to 6 modules of digits 1 keep, 2 double channels, 3 halve size, 4 both.

    Genes are the digits' places; the last two modules may be missing (0). A skeleton halves the
    size 1 to 4 times and doubles the channels 1 to 3 times.
    Source: Duan et al., "TransNAS-Bench-101", CVPR 2021, section 3.2.
    """

    name: str = "transnas-macro"
    title: str = "TransNAS-Bench-101 macro: 4 to 6 modules, 7 tasks"
    task: str = "classification"
    input_shape: tuple[int, ...] = (3, 224, 224)
    input_dtype: str = "float32"
    input_high: int | None = None
    gene_names: tuple[str, ...] = tuple(f"module{place}" for place in range(1, 7))
    choices: tuple[tuple[Choice, ...], ...] = CHOICES
    sizes: tuple[int, ...] = tuple(len(options) for options in CHOICES)

    def valid(self, genes: Genes) -> bool:
        """Tell whether the numbers of modules, halvings and doublings are allowed."""
        if len(genes) != 6 or (genes[4] == 0 and genes[5] != 0):
            return False
        digits = self.digits(genes)
        halvings = sum(digit in (3, 4) for digit in digits)
        doublings = sum(digit in (2, 4) for digit in digits)
        return 1 <= halvings <= 4 and 1 <= doublings <= 3

    def canonical(self, genes: Genes) -> Genes:
        """The genes themselves: all valid skeletons differ."""
        return genes

    def members(self) -> Sequence[Genes]:
        """All valid skeletons in order."""
        return _members()

    def digits(self, genes: Genes) -> tuple[int, ...]:
        """The published digits of the modules that are there."""
        return (*(gene + 1 for gene in genes[:4]), *(gene for gene in genes[4:] if gene))

    def describe(self, genes: Genes) -> str:
        """Write `64-dddd-basic` with 4 to 6 digits."""
        return f"{BASE}-{''.join(map(str, self.digits(genes)))}-basic"

    def parse(self, text: str) -> Genes:
        """Read `64-dddd-basic` or the digits alone.

        Raises: InputError for anything else.
        """
        digits = text.strip().removeprefix(f"{BASE}-").removesuffix("-basic")
        if 4 <= len(digits) <= 6 and set(digits) <= set("1234"):
            tail = [int(digit) for digit in digits[4:]] + [0, 0]
            genes = (*(int(digit) - 1 for digit in digits[:4]), *tail[:2])
            if self.valid(genes):
                return genes
        raise InputError(
            f"{text!r} is no TransNAS-Bench-101 skeleton; give '64-dddd-basic' with 4 to 6 digits "
            "1..4 that halve the size (3, 4) 1 to 4 times and double channels (2, 4) 1 to 3 times"
        )

    def picture(self, genes: Genes) -> Picture:
        """The modules one below the other."""
        plan = Plan(BASE, self.digits(genes), None)
        channels, nodes = BASE, [f"stem {BASE}"]
        for double, halve in plan.changes:
            channels *= 2 if double else 1
            nodes.append(f"2 residual blocks {channels}{', half size' if halve else ''}")
        return chain(nodes)

    def build(
        self,
        genes: Genes,
        *,
        classes: int | None = None,
        task: str = "class_object",
        channels_in: int = 3,
        base: int = BASE,
    ) -> nn.Module:
        """Make the network of a task; `classes` overrides the task's number of outputs.

        Shapes: images [N, channels_in, H, W]; `jigsaw` takes tiles [N, 9, channels_in, H, W].
        Raises: InputError when there is no such task.
        """
        return build(Plan(base, self.digits(genes), None), task, classes, channels_in)

    def small(self, genes: Genes, *, classes: int, channels: int) -> nn.Module:
        """Make the network with an eighth of the channels."""
        return self.build(genes, classes=classes, channels_in=channels, base=8)


@cache
def _members() -> tuple[Genes, ...]:
    return tuple(genes for genes in product(*map(range, PLUGIN.sizes)) if PLUGIN.valid(genes))


PLUGIN = TransNasMacro()
