"""The attention of a network, seen and masked as it is computed, whatever its code looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from profiler.core.errors import InputError

_SOFTMAX = (torch.softmax, torch.Tensor.softmax, nn.functional.softmax)
_PRODUCTS = (torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__)
_FUSED = nn.functional.scaled_dot_product_attention


@dataclass(frozen=True, slots=True)
class Attention:
    """What was seen of a network's self-attention in one inference of batch 1.

    Unit: MACs of the products of queries with keys and of weights with values, in all `layers`.
    """

    heads: int
    tokens: int
    layers: int
    macs: int


def find_attention(network: nn.Module, example: tuple[torch.Tensor, ...]) -> Attention:
    """Run a network once and look for softmax over square scores, [N, heads, tokens, tokens].

    Raises: InputError where there is none, where layers differ in heads or tokens, or naming a
    layer of torch's own class whose scores can't be reached.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.MultiheadAttention):
            raise InputError(
                f"layer {name!r} is torch's MultiheadAttention, whose scores can't be masked; "
                "write it with softmax or scaled_dot_product_attention"
            )
    network.eval()
    with torch.no_grad(), _Seeing() as seen:
        network(*example)
    shapes = sorted(set(seen.scores))
    if len(shapes) != 1:
        found = ", ".join(f"{heads} x {tokens} x {tokens}" for heads, tokens in shapes)
        raise InputError(
            f"one mask is shared by all layers, and their scores differ: {found}"
            if found
            else "the network has no attention: no softmax over scores [N, heads, tokens, tokens]"
        )
    ((heads, tokens),) = shapes
    return Attention(heads, tokens, len(seen.scores), seen.macs)


class Masking(TorchFunctionMode):
    """Adds a bias to the scores of attention inside a `with`.

    Shapes: bias [heads, tokens, tokens].
    """

    def __init__(self, bias: torch.Tensor) -> None:
        super().__init__()
        self.bias = bias

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call what was called, with masked scores."""
        given = dict(kwargs or {})
        if func is _FUSED and _heads_tokens(args[0], args[1]) == self._shape:
            mask = args[3] if len(args) > 3 else given.pop("attn_mask", None)
            if mask is not None and mask.dtype == torch.bool:
                mask = torch.zeros_like(mask, dtype=args[0].dtype).masked_fill(~mask, -1e4)
            both = self.bias if mask is None else mask + self.bias
            return func(*args[:3], both, *args[4:], **given)
        if func in _SOFTMAX and _scores(args[0]) == self._shape:
            return func(args[0] + self.bias, *args[1:], **given)
        return func(*args, **given)

    @property
    def _shape(self) -> tuple[int, int]:
        return int(self.bias.shape[0]), int(self.bias.shape[1])


class _Seeing(TorchFunctionMode):
    """Notes the heads and tokens of each softmax, and the MACs of products around it."""

    def __init__(self) -> None:
        super().__init__()
        self.scores: list[tuple[int, int]] = []
        self.macs = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in _SOFTMAX and (shape := _scores(args[0])):
            self.scores.append(shape)
        elif func is _FUSED and (shape := _heads_tokens(args[0], args[1])):
            self.scores.append(shape)
            self.macs += shape[0] * shape[1] ** 2 * (args[0].shape[3] + args[2].shape[3])
        elif func in _PRODUCTS and (_scores(out) or _scores(args[0])):
            self.macs += out.numel() * args[0].shape[-1]
        return out


def _scores(tensor: Any) -> tuple[int, int] | None:
    if not isinstance(tensor, torch.Tensor) or tensor.ndim != 4:
        return None
    heads, rows, columns = (int(size) for size in tensor.shape[1:])
    return (heads, rows) if rows == columns and rows > 1 else None


def _heads_tokens(query: torch.Tensor, key: torch.Tensor) -> tuple[int, int] | None:
    if query.ndim != 4 or query.shape[2] != key.shape[2]:
        return None
    return int(query.shape[1]), int(query.shape[2])
