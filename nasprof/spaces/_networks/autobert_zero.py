"""The language model of the AutoBERT-Zero space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import logsigmoid, softsign

from nasprof.spaces._cost import MatMul
from nasprof.spaces._programs import BINARY, INPUTS, Program


@dataclass(frozen=True, slots=True)
class Sizes:
    """Widths of a model; `longest` is the greatest number of tokens."""

    classes: int
    hidden: int
    heads: int
    vocabulary: int
    longest: int


class Network(nn.Module):
    """Embeddings, twelve layers that alternate convolution and attention, classifier.

    Shapes: token numbers [N, T] to scores [N, classes].
    Source: Gao et al., "AutoBERT-Zero", AAAI 2022: alternation, kernels, programs; residuals, norms
    and feed-forward parts as in Devlin et al., "BERT", 2019. The form of the convolution is not
    published: it is gated and depthwise here, as in Wu et al., "Pay Less Attention", ICLR 2019.
    """

    def __init__(
        self, kernels: tuple[int, ...], programs: tuple[Program, ...], sizes: Sizes
    ) -> None:
        super().__init__()
        hidden = sizes.hidden
        self.tokens = nn.Embedding(sizes.vocabulary, hidden)
        self.positions = nn.Embedding(sizes.longest, hidden)
        self.norm = nn.LayerNorm(hidden, eps=1e-12)
        layers: list[nn.Module] = []
        for kernel, program in zip(kernels, programs, strict=True):
            layers.append(Layer(Convolution(hidden, kernel), hidden))
            layers.append(Layer(Attention(program, hidden, sizes.heads), hidden))
        self.layers = nn.Sequential(*layers)
        self.pooler = nn.Linear(hidden, hidden)
        self.classifier = nn.Linear(hidden, sizes.classes)
        self.apply(_initialise)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device).unsqueeze(0)
        x = self.norm(self.tokens(tokens) + self.positions(places))
        x = self.layers(x)[:, 0]
        out: torch.Tensor = self.classifier(torch.tanh(self.pooler(x)))
        return out


class Layer(nn.Module):
    """A mixing part and a feed-forward part, each with a residual and a norm."""

    def __init__(self, mixing: nn.Module, hidden: int) -> None:
        super().__init__()
        self.mixing = mixing
        self.first = nn.LayerNorm(hidden, eps=1e-12)
        self.forward_part = nn.Sequential(
            nn.Linear(hidden, 4 * hidden), nn.GELU(), nn.Linear(4 * hidden, hidden)
        )
        self.second = nn.LayerNorm(hidden, eps=1e-12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x + self.mixing(x))
        out: torch.Tensor = self.second(x + self.forward_part(x))
        return out


class Convolution(nn.Module):
    """Gated linear layer, depthwise convolution over the tokens, linear layer."""

    def __init__(self, hidden: int, kernel: int) -> None:
        super().__init__()
        self.gated = nn.Linear(hidden, 2 * hidden)
        self.depthwise = nn.Conv1d(hidden, hidden, kernel, padding=kernel // 2, groups=hidden)
        self.out = nn.Linear(hidden, hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value, gate = self.gated(x).chunk(2, -1)
        x = self.depthwise((value * gate.sigmoid()).transpose(1, 2)).transpose(1, 2)
        out: torch.Tensor = self.out(x)
        return out


class Attention(nn.Module):
    """Runs a program on projections of the input, head by head.

    Only the projections that the program uses are made.
    """

    def __init__(self, program: Program, hidden: int, heads: int) -> None:
        super().__init__()
        self.program, self.heads, self.size = program, heads, hidden // heads
        used = {value for step in program for value in _operands(step.op, step.a, step.b)}
        self.projections = nn.ModuleDict(
            {name: nn.Linear(hidden, hidden) for at, name in enumerate(INPUTS) if at in used}
        )
        # One layer for each product, so that costs can be counted layer by layer.
        self.products = nn.ModuleDict(
            {
                str(at): MatMul()
                for at, step in enumerate(program)
                if step.op in ("matmul", "cosine", "euclid")
            }
        )
        self.out = nn.Linear(hidden, hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = {INPUTS.index(n): self._split(p(x)) for n, p in self.projections.items()}
        for at, step in enumerate(self.program):
            operands = [values[value] for value in _operands(step.op, step.a, step.b)]
            values[len(INPUTS) + at] = self._run(at, step.op, operands)
        result = values[len(INPUTS) + len(self.program) - 1]
        out: torch.Tensor = self.out(result.transpose(1, 2).flatten(2))
        return out

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(2, (self.heads, self.size)).transpose(1, 2)

    def _run(self, at: int, op: str, operands: list[torch.Tensor]) -> torch.Tensor:
        if op == "add":
            return operands[0] + operands[1]
        if op == "scale":
            return operands[0] / self.size**0.5
        if op in _UNARY:
            return _UNARY[op](operands[0])
        return _product(op, operands[0], operands[1], self.products[str(at)])


_UNARY: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "neg": torch.neg,
    "transpose": lambda x: x.transpose(-1, -2),
    "softmax": lambda x: x.softmax(-1),
    "logsigmoid": logsigmoid,
    "softsign": softsign,
}


def _product(op: str, a: torch.Tensor, b: torch.Tensor, product: nn.Module) -> torch.Tensor:
    if op == "cosine":
        a, b = _unit_rows(a), _unit_rows(b)
    out: torch.Tensor = product(a, b if op == "matmul" else b.transpose(-1, -2))
    if op == "euclid":
        squares = a.square().sum(-1, keepdim=True) + b.square().sum(-1).unsqueeze(-2)
        # Rounding can push the difference below zero, where a root has no value.
        out = (squares - 2 * out).clamp_min(1e-6).sqrt()
    return out


def _unit_rows(x: torch.Tensor) -> torch.Tensor:
    return x / (x.square().sum(-1, keepdim=True) + 1e-6).sqrt()


def _operands(op: str, a: int, b: int) -> tuple[int, ...]:
    return (a, b) if op in BINARY else (a,)


def _initialise(layer: nn.Module) -> None:
    # Standard deviation 0.02, as BERT: keeps products of many factors small.
    if isinstance(layer, nn.Linear | nn.Embedding):
        nn.init.normal_(layer.weight, std=0.02)
