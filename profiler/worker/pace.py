"""How fast the processor itself runs between samples: a fixed piece of work, timed again and again.

Another virtual machine on the same physical core, or a lower clock, shows in no counter that can
be read from inside; it shows in how long the same instructions take.
"""

from __future__ import annotations

import time
from itertools import repeat

EVERY_NS = 2_000_000
"""Time between two probes at least, so that they stay under 2 % of a round."""
_STEPS = 300


def probe_ns() -> int:
    """Time of a fixed piece of arithmetic in registers and the smallest cache, about 20 us."""
    clock, value = time.perf_counter_ns, 0
    began = clock()
    for step in repeat(3, _STEPS):
        value = value * 5 + step & 0xFFFF
    return clock() - began


class PaceTags:
    """Tags each sample with the slower of the probes right before and after its group.

    Unit: ns a probe.
    """

    def __init__(self) -> None:
        self._tags: list[int] = []
        self._last_ns = probe_ns()
        self._due_ns = time.perf_counter_ns() + EVERY_NS

    def due(self, now_ns: int) -> bool:
        """Whether the last probe is long enough ago."""
        return now_ns >= self._due_ns

    def probe(self, samples: int) -> None:
        """Probe now and tag what was sampled since the last probe, up to so many in all."""
        now_ns = probe_ns()
        self._tags += [max(self._last_ns, now_ns)] * (samples - len(self._tags))
        self._last_ns, self._due_ns = now_ns, time.perf_counter_ns() + EVERY_NS

    def tags(self, samples: int) -> tuple[int, ...]:
        """The tags of all samples, after a last probe where some have none."""
        if len(self._tags) < samples:
            self.probe(samples)
        return tuple(self._tags)
