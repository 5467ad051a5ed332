"""nasprof's own convention: multiply-accumulates of layers that multiply matrices."""

from __future__ import annotations

from profiler.cost.conventions._convention import Convention, Seen, macs
from profiler.cost.steps import Step


def count(step: Step, seen: Seen) -> int:
    """MACs; bias, normalisation, activation, pooling and resizing are none.

    Source: docs/cost.md.
    """
    return macs(step)


PLUGIN = Convention("nasprof", "MACs", "multiply-accumulates, nothing else", count, {})
