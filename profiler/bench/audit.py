"""Whether a runtime does the work that it is timed for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from profiler.core.errors import MeasurementError
from profiler.core.plain import to_plain
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.worker.classify import result_of
from profiler.worker.launch import Job, launch

_FASTER = 0.10


@dataclass(frozen=True, slots=True)
class Audit:
    """Medians of one run with the same input again and with ever new ones. Unit: ns."""

    same_ns: float
    varied_ns: float

    @property
    def remembers(self) -> bool:
        """Whether the same input is more than 10 % faster (MLPerf's TEST04)."""
        return self.same_ns < (1 - _FASTER) * self.varied_ns


def audit(
    model: Path,
    target: Target,
    inputs: Sequence[TensorSpec],
    seed: int = 0,
    deadline_s: float = 120,
) -> Audit:
    """Time a model on a target with inputs that repeat and inputs that do not.

    Raises: MeasurementError with the reason when the worker gives no result.
    """
    arguments = {
        "model": str(model.resolve()), "target": to_plain(target),
        "inputs": to_plain(tuple(inputs)), "seed": seed,
    }  # fmt: skip
    job = Job("audit", arguments, deadline_s, threads=target.threads, runtime=target.runtime)
    found, problem = result_of(launch(job))
    if found is None or problem is not None:
        reason = f"{problem.kind}: {problem.message}" if problem else "no result"
        raise MeasurementError(f"{target.key} could not be audited: {reason}")
    return Audit(**found)
