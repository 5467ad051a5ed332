"""Scores of an untrained network that stand for its accuracy.

Each takes a network and images [n, ...] and returns a finite score, larger for better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite, log
from typing import Any

import torch
from torch import nn

Score = Callable[[nn.Module, torch.Tensor], float]
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_POOLS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
_STEP = 0.01
_REPEATS = 4


def naswot(network: nn.Module, images: torch.Tensor) -> float:
    """Logarithm of |K|, where K counts the ReLUs in the same state for each pair of images.

    Source: Mellor et al., "Neural Architecture Search without Training", 2021, equation 2, summed
    over all ReLU layers as in the published program.
    """
    count = len(images)
    kernel = torch.zeros(count, count, dtype=torch.float64)

    def add(module: nn.Module, given: Any, out: torch.Tensor) -> None:
        on = (out > 0).flatten(1).double()
        kernel.add_(on @ on.T + (1 - on) @ (1 - on).T)

    network.train()
    with _hooks(network, (nn.ReLU, nn.ReLU6), add) as hooked, torch.no_grad():
        network(images)
    if not hooked:
        raise ValueError("naswot needs a network with ReLU layers")
    return _finite("naswot", float(torch.linalg.slogdet(kernel).logabsdet))


def synflow(network: nn.Module, images: torch.Tensor) -> float:
    """Logarithm of the sum of weight times gradient, all weights made positive, for an image of 1.

    Normalisation is left out, as it would make the sum the same for every network.
    Source: Tanaka et al., "Pruning neural networks without any data by iteratively conserving
    synaptic flow", 2020; as a score Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS",
    2021. The logarithm keeps the order and is finite where the sum is not.
    """
    network = network.double().eval()
    network.zero_grad()
    with torch.no_grad():
        for weight in network.parameters():
            weight.abs_()
    ones = torch.ones_like(images[:1], dtype=torch.float64)
    with _hooks(network, _NORMS, lambda module, given, out: given[0]):
        network(ones).sum().backward()
    flows = [
        (weight.detach() * weight.grad).sum()
        for weight in network.parameters()
        if weight.grad is not None
    ]
    total = float(torch.stack(flows).sum()) if flows else 0.0
    return _finite("synflow", log(total) if total > 0 else float("-inf"))


def zen(network: nn.Module, images: torch.Tensor) -> float:
    """How much the features before pooling change with the input, for weights of a Gaussian.

    The logarithm of their mean change for a small step, with what BatchNorm scaled away added back.
    Residual links are kept, where the published program takes them out.
    Source: Lin et al., "Zen-NAS: A Zero-Shot NAS for High-Performance Image Recognition", 2021,
    algorithm 1.
    """
    return sum(_zen(network, torch.randn_like(images)) for _ in range(_REPEATS)) / _REPEATS


def _zen(network: nn.Module, images: torch.Tensor) -> float:
    _gaussian(network)
    network.train()
    scales: list[float] = []

    def scale(module: nn.Module, given: Any, out: torch.Tensor) -> None:
        axes = [axis for axis in range(given[0].ndim) if axis != 1]
        variance = float(given[0].var(axes, unbiased=False).mean())
        if variance > 0:  # where nothing varies, nothing is scaled away
            scales.append(log(variance) / 2)

    with torch.no_grad():
        with _hooks(network, _NORMS, scale):
            before = _features(network, images)
        after = _features(network, images + _STEP * torch.randn_like(images))
    change = float((before - after).abs().flatten(1).sum(1).mean())
    return _finite("zen", (log(change) if change > 0 else float("-inf")) + sum(scales))


def grad_norm(network: nn.Module, images: torch.Tensor) -> float:
    """Sum over convolutions and linear layers of the norm of the loss's gradient.

    The loss is the cross entropy of random labels.
    Source: Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", 2021.
    """
    network.train()
    scores = network(images)
    labels = torch.randint(scores.shape[1], (len(images),))
    nn.functional.cross_entropy(scores, labels).backward()
    layers = (m for m in network.modules() if isinstance(m, nn.modules.conv._ConvNd | nn.Linear))
    norms = [layer.weight.grad.norm() for layer in layers if layer.weight.grad is not None]
    return _finite("grad-norm", float(torch.stack(norms).sum()) if norms else 0.0)


def params(network: nn.Module, images: torch.Tensor) -> float:
    """Number of parameters."""
    return float(sum(weight.numel() for weight in network.parameters()))


def macs(network: nn.Module, images: torch.Tensor) -> float:
    """MACs of one image, as `nasprof inspect` counts them."""
    from nasprof.inspecting import Question, count

    return float(count(Question(network, input_shape=tuple(images.shape[1:]))).macs)


PROXIES: dict[str, Score] = {
    "naswot": naswot,
    "synflow": synflow,
    "zen": zen,
    "grad-norm": grad_norm,
    "macs": macs,
    "params": params,
}


@contextmanager
def _hooks(
    network: nn.Module, kinds: tuple[type[nn.Module], ...], hook: Callable[..., Any]
) -> Iterator[int]:
    """Call the hook after every module of these kinds; a value that it returns is the output."""
    hooked = [m.register_forward_hook(hook) for m in network.modules() if isinstance(m, kinds)]
    try:
        yield len(hooked)
    finally:
        for handle in hooked:
            handle.remove()


def _gaussian(network: nn.Module) -> None:
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
                module.weight.normal_()
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, _NORMS) and module.weight is not None:
                module.weight.fill_(1)
                module.bias.zero_()


def _features(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """What goes into the last pooling, or comes out of a network that has none."""
    pools = [module for module in network.modules() if isinstance(module, _POOLS)]
    if not pools:
        out: torch.Tensor = network(images)
        return out
    found: list[torch.Tensor] = []
    handle = pools[-1].register_forward_pre_hook(lambda module, given: found.append(given[0]))
    try:
        network(images)
    finally:
        handle.remove()
    return found[-1]


def _finite(name: str, score: float) -> float:
    if not isfinite(score):
        raise ValueError(f"{name} of this network is {score}: nothing of the input comes through")
    return score
