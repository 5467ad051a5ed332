"""torch.utils.flop_counter.FlopCounterMode on the meta device."""

from __future__ import annotations

from profiler.cost.conventions._convention import Convention, Seen, macs
from profiler.cost.steps import Step


def count(step: Step, seen: Seen) -> int:
    """Two operations a MAC; nothing else is counted.

    On the CPU torch counts fused attention and LSTM as nothing (pytorch issue 195460).
    Source: torch/utils/flop_counter.py, torch 2.13.
    """
    return 2 * macs(step)


PLUGIN = Convention(
    "torch",
    "FLOPs",
    "two operations for each multiply-accumulate",
    count,
    {"": "a multiply-accumulate is two operations"},
)
