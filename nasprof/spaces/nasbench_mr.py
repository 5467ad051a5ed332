"""NAS-Bench-MR: multi-resolution networks written as 27 integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasprof.spaces._picture import Picture, chain
from nasprof.spaces._space import Choice, Genes
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from nasprof.spaces._cost import NetworkCost

COUNTS: tuple[int, ...] = (1, 2, 3, 4)
CHANNELS: tuple[int, ...] = tuple(range(8, 129, 8))
STAGES = (1, 2, 3, 4)
TASKS = ("classification", "segmentation", "video")


def _names() -> tuple[str, ...]:
    names = ["i1", "i2"]
    for k in STAGES:
        names.append(f"b{k}")
        names += [f"n{k}_{j}" for j in range(1, k + 1)]
        names += [f"c{k}_{j}" for j in range(1, k + 1)]
    return (*names, "o1")


NAMES = _names()
CHOICES = tuple(COUNTS if name[0] in "bn" else CHANNELS for name in NAMES)


@dataclass(frozen=True, slots=True)
class Code:
    """The 27 integers by meaning; a stage is (blocks, units of each branch, channels of each)."""

    stem: tuple[int, int]
    stages: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]
    head: int


@dataclass(frozen=True, slots=True)
class NasBenchMr:
    """The space of network codes; genes are places in the list of allowed values.

    Source: Ding et al., "Learning Versatile Neural Architectures by Propagating Network Codes",
    ICLR 2022, section 3.1; the text form is that of the released benchmark.
    """

    name: str = "nasbench-mr"
    title: str = "NAS-Bench-MR: multi-resolution networks, 27 integers"
    task: str = "classification"
    input_shape: tuple[int, ...] = (3, 128, 128)
    input_dtype: str = "float32"
    input_high: int | None = None
    gene_names: tuple[str, ...] = NAMES
    choices: tuple[tuple[Choice, ...], ...] = CHOICES
    sizes: tuple[int, ...] = tuple(len(options) for options in CHOICES)

    def valid(self, genes: Genes) -> bool:
        """Every combination is an architecture."""
        return len(genes) == len(NAMES)

    def canonical(self, genes: Genes) -> Genes:
        """The genes themselves: every integer changes the network."""
        return genes

    def values(self, genes: Genes) -> tuple[int, ...]:
        """The published 27 integers."""
        return tuple(options[gene] for options, gene in zip(CHOICES, genes, strict=True))

    def code(self, genes: Genes) -> Code:
        """The integers by meaning."""
        left = list(self.values(genes))
        stem = (left.pop(0), left.pop(0))
        stages = []
        for k in STAGES:
            blocks = left.pop(0)
            stages.append((blocks, tuple(left[:k]), tuple(left[k : 2 * k])))
            del left[: 2 * k]
        return Code(stem, tuple(stages), left[0])

    def describe(self, genes: Genes) -> str:
        """Write `i1_i2-b1_1_n_c-b2_2_n_n_c_c-b3_3_...-b4_4_...-o1`."""
        code = self.code(genes)
        parts: list[tuple[int, ...]] = [code.stem]
        parts += [(blocks, len(units), *units, *widths) for blocks, units, widths in code.stages]
        return "-".join("_".join(map(str, part)) for part in (*parts, (code.head,)))

    def parse(self, text: str) -> Genes:
        """Read the published text, or 27 integers separated by spaces or commas.

        Raises: InputError for anything else.
        """
        if "-" in text:
            groups = [group.split("_") for group in text.strip().split("-")]
            stages = groups[1:-1]
            if len(stages) != 4 or any(g[1:2] != [str(k)] for k, g in enumerate(stages, start=1)):
                raise self._error(text)
            fields = groups[0] + [f for g in stages for f in (g[0], *g[2:])] + groups[-1]
        else:
            fields = text.replace(",", " ").split()
        if len(fields) != len(NAMES) or not all(field.isdecimal() for field in fields):
            raise self._error(text)
        return self.from_values([int(field) for field in fields])

    def from_values(self, values: list[int]) -> Genes:
        """The genes of 27 published integers.

        Raises: InputError naming an integer that the space does not allow.
        """
        for name, value, options in zip(NAMES, values, CHOICES, strict=True):
            if value not in options:
                raise InputError(f"{name} = {value} is not in NAS-Bench-MR; it has {options}")
        return tuple(options.index(v) for v, options in zip(values, CHOICES, strict=True))

    def picture(self, genes: Genes) -> Picture:
        """The stages one below the other: modules, then units x channels of each resolution."""
        code = self.code(genes)
        nodes = [f"stem {code.stem[0]}, {code.stem[1]}"]
        for blocks, units, widths in code.stages:
            branches = "  ".join(f"{n}x{c}" for n, c in zip(units, widths, strict=True))
            nodes.append(f"{blocks} x [{branches}]")
        return chain([*nodes, f"head {code.head}"])

    def build(
        self,
        genes: Genes,
        *,
        classes: int = 50,
        task: str = "classification",
        channels_in: int = 3,
    ) -> nn.Module:
        """Make the network with the head of a task: classification, segmentation or video.

        Shapes: images [N, channels_in, H, W] to [N, classes], or [N, classes, H/4, W/4] for
        segmentation; clips [N, T, channels_in, H, W] to [N, classes] for video.
        Raises: InputError for another task.
        """
        from nasprof.spaces._networks.nasbench_mr import Network

        if task not in TASKS:
            raise InputError(f"NAS-Bench-MR has no task {task!r}; it has: {', '.join(TASKS)}")
        return Network(self.code(genes), classes, task, channels_in)

    def small(self, genes: Genes, *, classes: int, channels: int) -> nn.Module:
        """Make the published network for small images: it has no scaled-down form."""
        return self.build(genes, classes=classes, channels_in=channels)

    def published_gflops(self, cost: NetworkCost) -> float:
        """Rebuild the published figure from a count of the classification network.

        Unit: 1e9 of MACs + 2 for each element of a BatchNorm + the classifier's bias adds.
        """
        return (cost.macs + 2 * cost.norm_elements + cost.conv_bias_adds) / 1e9

    def _error(self, text: Any) -> InputError:
        return InputError(
            f"{text!r} is no NAS-Bench-MR code; give 27 integers or "
            "'i1_i2-b1_1_n_c-b2_2_n_n_c_c-b3_3_n_n_n_c_c_c-b4_4_n_n_n_n_c_c_c_c-o1'"
        )


PLUGIN = NasBenchMr()
