"""Throughput over batch, threads or streams: where more of it stops to pay."""

from __future__ import annotations

from collections.abc import Mapping

# What lies beyond the knee brings less than runs of one setting differ by on most machines.
KNEE_SHARE = 0.95


def knee(throughput: Mapping[int, float]) -> int:
    """The smallest setting with at least 95 % of the best throughput.

    Raises: ValueError without any setting.
    """
    best = max(throughput.values())
    return min(size for size, rate in throughput.items() if rate >= KNEE_SHARE * best)
