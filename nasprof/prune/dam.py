"""Entries of attention go by a mask that is learnt (DAM of SparseBERT)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import nn

from nasprof.prune._attention import Attention, find_attention
from nasprof.prune._attention_mask import AttentionMask, FixedAttention, LearntAttention, density
from nasprof.prune._method import Gated, Goal, Plain
from profiler.core.errors import InputError

_RATE = 0.05
_USAGE = "dam, dam:diagonal, dam:STRENGTH or dam:diagonal:STRENGTH such as dam:diagonal:1e-3"


@dataclass(slots=True)
class Attending:
    """A network whose attention is masked anew in each pass."""

    network: LearntAttention
    attention: Attention
    strength: float
    draws: int = 1
    _optimizer: torch.optim.Adam = field(init=False)

    def __post_init__(self) -> None:
        self._optimizer = torch.optim.Adam(self.network.masks.parameters(), lr=_RATE)

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam on the logits, without decay."""
        return self._optimizer

    def penalty(self) -> torch.Tensor:
        """The strength times the expected number of open entries."""
        return self.strength * self.network.masks.expected()

    def before_step(self, share: float) -> None:
        """Follow no schedule."""

    def after_step(self) -> None:
        """Change nothing."""

    def plain(self) -> Plain:
        """The network under the mask of positive logits, as a constant."""
        self.network.eval()
        fixed = FixedAttention(self.network.network, self.network.masks())
        return Plain(fixed, None, examine=partial(density, attention=self.attention))


@dataclass(frozen=True, slots=True)
class Dam:
    """Learns one mask for each head, shared by all layers; `strength` is the price of an entry.

    `dam:diagonal` has a gate for each distance |i - j| instead of one for each entry.
    Source: Shi et al., "SparseBERT: Rethinking the Importance Analysis in Self-attention",
    ICML 2021, section 4; the norm of the mask is its expected sum.
    """

    name: str = "dam"
    title: str = "entries of attention by a learnt mask (DAM)"
    structured: bool = False
    trains: bool = True
    needs_limit: bool = False
    strength: float = 5e-5
    diagonal: bool = False

    def made_for(self, argument: str) -> Dam:
        """Another strength, or gates on diagonals: `dam:diagonal:1e-3`.

        Raises: InputError when it is neither.
        """
        kind, _, rest = argument.partition(":")
        diagonal = kind == "diagonal"
        text = rest if diagonal else argument
        try:
            strength = float(text) if text or not diagonal else self.strength
        except ValueError:
            strength = -1.0
        if not 0 <= strength < float("inf"):
            raise InputError(f"dam:{argument}: write {_USAGE}")
        return replace(self, strength=strength, diagonal=diagonal)

    def wrap(self, network: nn.Module, example: tuple[torch.Tensor, ...], goal: Goal) -> Gated:
        """Mask the attention of all layers.

        Raises: InputError for a limit, or where attention can't be found and masked.
        """
        if goal.limits:
            raise InputError(
                "dam removes no parameters and no MACs of a dense runtime, so "
                f"{goal.limits[0].text!r} can't be a limit; its strength sets the density: dam:1e-3"
            )
        found = find_attention(network, example)
        masks = AttentionMask(found.heads, found.tokens, self.diagonal)
        return Attending(LearntAttention(network, masks), found, self.strength)


PLUGIN = Dam()
