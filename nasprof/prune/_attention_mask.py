"""A mask of attention whose entries are learnt, and the network that it is applied to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from tabulate import tabulate
from torch import nn

from nasprof.prune._attention import Attention, Masking
from nasprof.prune._bernoulli import gumbel_difference
from nasprof.prune._sparsity import sparsity_of
from profiler.core.units import si

CLOSED = -1e4
_START = 1.0


class _Hard(torch.autograd.Function):
    """0 or 1 by whether a share is above one half; the gradient passes as it is."""

    @staticmethod
    def forward(ctx: Any, soft: torch.Tensor) -> torch.Tensor:
        return (soft > 0.5).to(soft)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient


def gate(logits: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """0 or 1 by a Gumbel-softmax over two classes; its gradient is that of the soft value.

    Of the two classes' logits only the difference counts, which `logits` is; temperature 1.
    """
    hard: torch.Tensor = _Hard.apply(torch.sigmoid(logits + noise))
    return hard


class AttentionMask(nn.Module):
    """One mask for each head, shared by all layers: an entry each, or a gate for each |i - j|.

    Shapes: logits [heads, tokens, tokens], or [heads, tokens] with `diagonal`.
    """

    distance: torch.Tensor

    def __init__(self, heads: int, tokens: int, diagonal: bool) -> None:
        super().__init__()
        places = torch.arange(tokens)
        self.diagonal = diagonal
        self.register_buffer("distance", (places[:, None] - places).abs())
        shape = (heads, tokens) if diagonal else (heads, tokens, tokens)
        self.logits = nn.Parameter(torch.full(shape, _START))

    def forward(self) -> torch.Tensor:
        """The mask, [heads, tokens, tokens]: sampled in training, else open for logits above 0."""
        if self.training:
            gates = gate(self.logits, gumbel_difference(self.logits.detach()))
        else:
            gates = (self.logits > 0).to(self.logits)
        return gates[:, self.distance] if self.diagonal else gates

    def expected(self) -> torch.Tensor:
        """How many entries are open in the mean over samples, a scalar."""
        chances = torch.sigmoid(self.logits)
        return (chances[:, self.distance] if self.diagonal else chances).sum()


class LearntAttention(nn.Module):
    """A network under a mask that is learnt, sampled once a pass for all its layers."""

    def __init__(self, network: nn.Module, masks: AttentionMask) -> None:
        super().__init__()
        self.network, self.masks = network, masks

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Run the network with closed entries far below the others."""
        with Masking((1 - self.masks()) * CLOSED):
            return self.network(*inputs)


class FixedAttention(nn.Module):
    """A network under a constant mask, which is exported as one addition to the scores."""

    bias: torch.Tensor

    def __init__(self, network: nn.Module, mask: torch.Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("bias", (1 - mask.detach()) * CLOSED)

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Run the network."""
        with Masking(self.bias):
            return self.network(*inputs)


@dataclass(frozen=True, slots=True)
class Density:
    """How much of the attention is left.

    Unit: `heads` are the open share of each head's mask; MACs of one inference: all of
    convolutions, linear layers and attention, and those of attention alone.
    """

    heads: tuple[float, ...]
    tokens: int
    layers: int
    macs: int
    attention_macs: int

    @property
    def open(self) -> float:
        """The open share of all heads."""
        return sum(self.heads) / len(self.heads)

    @property
    def exploitable_macs(self) -> int:
        """MACs of attention that a kernel which skips closed entries would do."""
        return round(self.open * self.attention_macs)

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON."""
        return {**asdict(self), "open": self.open, "exploitable_macs": self.exploitable_macs}

    def lines(self) -> list[str]:
        """What a person wants to know, with what it does not mean."""
        saved = (self.attention_macs - self.exploitable_macs) / self.macs
        return [
            f"attention masks: {self.open:.1%} of {self.tokens} x {self.tokens} open, the same in "
            f"{self.layers} layers",
            f"MACs of attention {si(self.attention_macs)} ({self.attention_macs / self.macs:.1%} "
            f"of all), {si(self.exploitable_macs)} of them on open entries",
            "- the mask is a constant that is added to the scores: executed MACs, parameters and "
            "latency stay those of dense attention; skipping closed entries could save "
            f"{saved:.1%}",
        ]

    def table(self) -> str:
        """Every head."""
        rows = [(head, f"{share:.1%}") for head, share in enumerate(self.heads)]
        return tabulate(rows, ("head", "open"), colalign=("right", "right"), disable_numparse=True)


def density(network: nn.Module, example: tuple[torch.Tensor, ...], attention: Attention) -> Density:
    """Describe a network under a constant mask; it is run once."""
    assert isinstance(network, FixedAttention)
    shares = (network.bias == 0).double().mean((1, 2)).tolist()
    dense = sum(layer.macs for layer in sparsity_of(network, example).layers)
    return Density(
        tuple(shares), attention.tokens, attention.layers, dense + attention.macs, attention.macs
    )
