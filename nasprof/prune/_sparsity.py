"""What masks on single weights leave: non-zeros, MACs on them and compressed size, by layer."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from tabulate import tabulate
from torch import nn

from nasprof.prune._weights import masked_layers, weight_of
from profiler.core.units import si

STATEMENT = (
    "zeros in single weights buy no time: a dense runtime multiplies by them, so executed MACs, "
    "latency and file size stay those of the whole network; only a compressed file is smaller"
)


@dataclass(frozen=True, slots=True)
class LayerSparsity:
    """One layer. Unit: weights, MACs of one inference."""

    name: str
    weights: int
    nonzero: int
    macs: int
    nonzero_macs: int


@dataclass(frozen=True, slots=True)
class Sparsity:
    """A network with zeros among its weights.

    Unit: bytes of all weights as they are, and after zlib at its highest level.
    """

    layers: tuple[LayerSparsity, ...]
    weight_bytes: int
    compressed_bytes: int

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """What a person wants to know, with what it does not mean."""
        kept, weights = _sums(self.layers, "nonzero", "weights")
        used, macs = _sums(self.layers, "nonzero_macs", "macs")
        return [
            f"non-zero weights {si(kept)} of {si(weights)} ({kept / weights:.2%}), "
            f"MACs on them {si(used)} of {si(macs)} ({used / macs:.1%})",
            f"weights {self.weight_bytes / 2**20:.2f} MiB, compressed "
            f"{self.compressed_bytes / 2**20:.2f} MiB",
            f"- {STATEMENT}",
        ]

    def table(self) -> str:
        """Every layer."""
        rows = [
            (
                layer.name, si(layer.weights), si(layer.nonzero),
                f"{layer.nonzero / layer.weights:.1%}", si(layer.macs), si(layer.nonzero_macs),
            )
            for layer in self.layers
        ]  # fmt: skip
        head = ("layer", "weights", "non-zero", "share", "MACs", "on non-zeros")
        return tabulate(rows, head, colalign=("left", *("right",) * 5), disable_numparse=True)


def sparsity_of(network: nn.Module, example: tuple[torch.Tensor, ...]) -> Sparsity:
    """Count a network; `example` are inputs of batch 1, which is run once.

    A weight of a convolution is used once at each place of its output.
    """
    layers = masked_layers(network)
    places = _places(network, layers, example)
    rows = []
    for name, layer in layers.items():
        weight = weight_of(layer)
        nonzero = int(weight.count_nonzero())
        used = places.get(name, 0)
        rows.append(
            LayerSparsity(name, weight.numel(), nonzero, weight.numel() * used, nonzero * used)
        )
    packed = zlib.compressobj(level=9)
    whole = compressed = 0
    for tensor in network.state_dict().values():
        raw = tensor.detach().cpu().contiguous().numpy().tobytes()
        whole += len(raw)
        compressed += len(packed.compress(raw))
    return Sparsity(tuple(rows), whole, compressed + len(packed.flush()))


def _places(
    network: nn.Module, layers: dict[str, nn.Module], example: tuple[torch.Tensor, ...]
) -> dict[str, int]:
    """How often each weight of a layer is used in one inference."""
    found: dict[str, int] = {}

    def of(name: str) -> Callable[[nn.Module, object, torch.Tensor], None]:
        def see(layer: nn.Module, inputs: object, output: torch.Tensor) -> None:
            channels = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
            assert isinstance(channels, int)
            found[name] = found.get(name, 0) + output.numel() // channels

        return see

    handles = [layer.register_forward_hook(of(name)) for name, layer in layers.items()]
    try:
        network.eval()
        with torch.inference_mode():
            network(*example)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _sums(layers: tuple[LayerSparsity, ...], *fields: str) -> tuple[int, ...]:
    return tuple(sum(getattr(layer, field) for layer in layers) for field in fields)
