"""AutoBERT-Zero: attention made of primitive operations, convolution layers between."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from nasprof.spaces._picture import Picture, chain
from nasprof.spaces._programs import (
    INPUTS,
    OPS,
    STANDARD,
    STEPS,
    Program,
    Step,
    mended,
    read,
    simplified,
    write,
)
from nasprof.spaces._space import Choice, Genes
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

KERNELS = (1, 3, 5, 7, 9, 15, 31, 65)
PAIRS_OF_LAYERS = 6
"""Odd layers are convolutions, even ones attention: twelve layers."""

FOUND = (
    "k65.9.3.7.7.3"
    "|matmul(softmax(scale(matmul(Q,neg(transpose(logsigmoid(neg(K))))))),add(Q,K))"
    "|matmul(softmax(scale(matmul(Q,neg(transpose(logsigmoid(add(logsigmoid(Q),add(Q,K)))))))),Q)"
    "|matmul(softmax(scale(matmul(Q,neg(transpose(logsigmoid(K)))))),Q)"
    "|matmul(softmax(scale(matmul(Q,neg(transpose(logsigmoid(K)))))),Q)"
    "|matmul(softmax(scale(matmul(Q,transpose(add(scale(K),add(softsign(scale(softsign(K))),V)))))),V)"
    "|matmul(softmax(scale(matmul(Q,transpose(add(scale(K),V))))),V)"
)
"""The published base model, layers 1 to 12.

Source: Gao et al., "AutoBERT-Zero", AAAI 2022, figure of the searched model; its square root is
read as the division by the square root of the head's size.
"""


def _names() -> tuple[str, ...]:
    names = [f"kernel{layer}" for layer in range(1, 2 * PAIRS_OF_LAYERS, 2)]
    for layer in range(2, 2 * PAIRS_OF_LAYERS + 1, 2):
        for step in range(1, STEPS + 1):
            names += [f"layer{layer}.step{step}.{part}" for part in ("op", "a", "b")]
    return tuple(names)


def _choices() -> tuple[tuple[Choice, ...], ...]:
    operands = [(*INPUTS, *(f"step{step}" for step in range(1, STEPS))) for _ in range(2)]
    one: list[tuple[Choice, ...]] = []
    for step in range(STEPS):
        one += [OPS, *(names[: len(INPUTS) + step] for names in operands)]
    return (KERNELS,) * PAIRS_OF_LAYERS + tuple(one) * PAIRS_OF_LAYERS


@dataclass(frozen=True, slots=True)
class AutoBertZero:
    """Twelve layers; genes are six kernel sizes and six programs of up to twelve steps.

    A step is three genes: operation, operand, operand. Not all genes are valid: shapes must fit,
    every step must be used, steps stand in the order in which the formula names them.
    Source: Gao et al., "AutoBERT-Zero: Evolving BERT Backbone from Scratch", AAAI 2022. The set of
    operations and kernels is the authors' as far as it is known; the search space is not released.
    """

    name: str = "autobert-zero"
    title: str = "AutoBERT-Zero: 6 attention programs of primitive operations, 6 convolutions"
    task: str = "text-classification"
    input_shape: tuple[int, ...] = (128,)
    input_dtype: str = "int64"
    input_high: int | None = 30522
    gene_names: tuple[str, ...] = _names()
    choices: tuple[tuple[Choice, ...], ...] = _choices()
    sizes: tuple[int, ...] = tuple(len(options) for options in _choices())

    def valid(self, genes: Genes) -> bool:
        """Tell whether all programs are well-formed and in order."""
        return len(genes) == len(self.gene_names) and self.repair(genes) == genes

    def repair(self, genes: Genes) -> Genes:
        """Mend each program: operands that fit, no dead or equal steps, steps in order."""
        fixed = list(genes[:PAIRS_OF_LAYERS])
        for start in range(PAIRS_OF_LAYERS, len(genes), 3 * STEPS):
            fixed += _mended_genes(genes[start : start + 3 * STEPS])
        return tuple(fixed)

    def canonical(self, genes: Genes) -> Genes:
        """The genes without double negations and transpositions, operands of sums in order."""
        kernels, programs = self.layers(self.repair(genes))
        return self.from_layers(kernels, tuple(simplified(program) for program in programs))

    def layers(self, genes: Genes) -> tuple[tuple[int, ...], tuple[Program, ...]]:
        """The kernel sizes and the attention programs of a valid candidate."""
        kernels = tuple(KERNELS[gene] for gene in genes[:PAIRS_OF_LAYERS])
        programs = tuple(
            _program(genes[start : start + 3 * STEPS])
            for start in range(PAIRS_OF_LAYERS, len(genes), 3 * STEPS)
        )
        return kernels, programs

    def from_layers(self, kernels: tuple[int, ...], programs: tuple[Program, ...]) -> Genes:
        """The genes of kernel sizes and programs."""
        genes = [KERNELS.index(kernel) for kernel in kernels]
        for program in programs:
            genes += _genes(program)
        return tuple(genes)

    def describe(self, genes: Genes) -> str:
        """Write `k65.9.3.7.7.3|formula|...`: kernels, then the six attention formulas."""
        kernels, programs = self.layers(genes)
        return "|".join(("k" + ".".join(map(str, kernels)), *map(write, programs)))

    def parse(self, text: str) -> Genes:
        """Read that text; `found` is the published model, `standard` plain attention throughout.

        Raises: InputError for anything else.
        """
        text = text.strip()
        if text == "standard":
            return self.from_layers((KERNELS[1],) * PAIRS_OF_LAYERS, (STANDARD,) * PAIRS_OF_LAYERS)
        listed, *formulas = (FOUND if text == "found" else text).split("|")
        kernels = tuple(int(part) for part in listed[1:].split(".") if part.isdecimal())
        counts = (len(kernels), len(formulas))
        if listed[:1] != "k" or counts != (PAIRS_OF_LAYERS,) * 2 or set(kernels) - set(KERNELS):
            raise InputError(
                f"{text!r} is no AutoBERT-Zero model; give 'found', 'standard' or six kernels of "
                f"{KERNELS} and six formulas: 'k65.9.3.7.7.3|formula|...'"
            )
        return self.from_layers(kernels, tuple(read(formula) for formula in formulas))

    def picture(self, genes: Genes) -> Picture:
        """The twelve layers one below the other."""
        kernels, programs = self.layers(genes)
        nodes = ["embeddings"]
        for kernel, program in zip(kernels, programs, strict=True):
            nodes += [f"convolution {kernel}", write(program)]
        return chain([*nodes, "classifier"])

    def build(
        self,
        genes: Genes,
        *,
        classes: int = 2,
        hidden: int = 768,
        heads: int = 12,
        vocabulary: int = 30522,
        longest: int = 512,
    ) -> nn.Module:
        """Make the model with a classifier on its first token.

        Shapes: token numbers [N, T] to scores [N, classes], T at most `longest`.
        """
        from nasprof.spaces._networks.autobert_zero import Network, Sizes

        kernels, programs = self.layers(genes)
        return Network(kernels, programs, Sizes(classes, hidden, heads, vocabulary, longest))

    def small(self, genes: Genes, *, classes: int, channels: int) -> nn.Module:
        """Refuse: the space has no network for images.

        Raises: InputError always.
        """
        raise InputError("autobert-zero takes text; short training on images cannot score it")


@lru_cache(maxsize=4096)
def _mended_genes(genes: Genes) -> tuple[int, ...]:
    steps = [(genes[at], genes[at + 1], genes[at + 2]) for at in range(0, len(genes), 3)]
    return _genes(mended(steps))


def _genes(program: Program) -> tuple[int, ...]:
    flat = [part for step in program for part in (OPS.index(step.op), step.a, step.b)]
    return (*flat, *[0] * (3 * STEPS - len(flat)))


def _program(genes: Genes) -> Program:
    steps = [genes[at : at + 3] for at in range(0, len(genes), 3)]
    return tuple(Step(OPS[op], a, b) for op, a, b in steps if op)


PLUGIN = AutoBertZero()
