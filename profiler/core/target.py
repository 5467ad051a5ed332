"""Where a model runs, and how it is measured there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

OPTIMIZE = "optimize"
"""The option that says how a model's graph is optimised before the runtime gets it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A runtime with everything that was asked of it.

    Unit: `threads` counts intra-operator threads. `options` are sorted (name, value) pairs.
    """

    runtime: str
    device: str = "cpu"
    precision: str = "fp32"
    threads: int = 1
    options: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """The target as one readable line; equal targets have equal keys."""
        parts = [self.runtime, self.precision, f"{self.threads}t"]
        return "/".join(parts + [f"{name}={value}" for name, value in self.options])

    @property
    def at_load(self) -> Target:
        """The target as its runtime sees it: without what was done to the model before."""
        kept = tuple(option for option in self.options if option[0] != OPTIMIZE)
        return replace(self, options=kept)


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """How a latency is measured; part of the identity of every measurement.

    `processes` workers measure `rounds` rounds each; more are added, up to `max_processes`, until
    half the 95 % interval of the median is within `interval` of it.
    Unit: seconds, bytes and counts as named. `dims` gives sizes to symbolic dimensions. `streams`
    instances of the model run at once, each in a thread of its own.
    Source: shared protocol of MLPerf, nvbench and pyperf, see docs/measuring.md.
    """

    processes: int = 3
    max_processes: int = 6
    interval: float = 0.01
    rounds: int = 5
    round_s: float = 0.2
    min_samples: int = 30
    warmup_runs: int = 5
    warmup_s: float = 0.2
    warmup_max_s: float = 5.0
    max_s: float = 15.0
    deadline_s: float = 120.0
    memory_limit_bytes: int | None = None
    dims: tuple[tuple[str, int], ...] = ()
    seed: int = 0
    streams: int = 1

    @classmethod
    def quick(cls, *, seed: int = 0, dims: tuple[tuple[str, int], ...] = ()) -> BenchPlan:
        """A shorter plan for the inside of a search: about a second of measuring."""
        return cls(
            max_processes=3, rounds=3, round_s=0.1, min_samples=10, warmup_s=0.1, max_s=5.0,
            dims=dims, seed=seed,
        )  # fmt: skip

    @property
    def looks(self) -> int:
        """How many times the interval is looked at until no process is added."""
        return max(self.max_processes - self.processes, 0) + 1

    @property
    def key(self) -> str:
        """A hash of every field."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
