"""What lets the comparison of an untrained network fail: statistics and weights that matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_BATCHES = 2
_BATCH_SIZE = 4

Inputs = tuple[torch.Tensor, ...]


def calibrate(network: nn.Module, inputs: Callable[[int, int], Inputs], batch: int) -> int:
    """Give fresh BatchNorm layers statistics of noise; return how many layers were fresh.

    A fresh layer computes the identity, and one whose weight is zero hides its whole branch: an
    export could drop either unseen. Zero weights are drawn anew in 0.5..1.5. Layers that were
    trained or loaded are never touched. `inputs(seed, batch)` draws the noise.
    """
    fresh = [layer for layer in network.modules() if _is_fresh(layer)]
    if not fresh:
        return 0
    for layer in fresh:
        if layer.weight is not None and not layer.weight.any():
            layer.weight.data.uniform_(0.5, 1.5)
    for size in dict.fromkeys((_BATCH_SIZE, max(batch, 1))):
        if _observe(network, fresh, inputs, size):
            break
    return len(fresh)


def redraw_zero_weights(network: nn.Module) -> int:
    """Draw weight matrices that are all zero anew; return how many there were.

    For a network whose outputs do not depend on its inputs: some libraries start classifiers at
    zero, and then every export of the network has the right outputs.
    """
    zero = [p for p in network.parameters() if p.ndim > 1 and p.numel() and not p.any()]
    for parameter in zero:
        parameter.data.normal_(0.0, 0.02)
    return len(zero)


def _is_fresh(layer: nn.Module) -> bool:
    if not isinstance(layer, _BatchNorm) or layer.running_mean is None:
        return False
    if isinstance(layer.running_mean, nn.parameter.UninitializedTensorMixin):
        return False
    tracked = layer.num_batches_tracked
    unseen = tracked is None or int(tracked) == 0
    return unseen and not bool(layer.running_mean.any()) and bool((layer.running_var == 1).all())


def _observe(
    network: nn.Module,
    fresh: Sequence[_BatchNorm],
    inputs: Callable[[int, int], Inputs],
    batch: int,
) -> bool:
    """Run noise with only the fresh layers in training mode; False when the size does not fit."""
    momentum = [layer.momentum for layer in fresh]
    for layer in fresh:
        layer.train()
        layer.momentum = None  # the plain mean over batches instead of a decaying one
    try:
        for seed in range(_BATCHES):
            network(*inputs(seed, batch))
        return True
    except Exception:  # noqa: BLE001 - whether the module runs at all is found out later
        for layer in fresh:
            layer.reset_running_stats()
        return False
    finally:
        for layer, value in zip(fresh, momentum, strict=True):
            layer.momentum = value
            layer.eval()
