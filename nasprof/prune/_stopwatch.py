"""Latency of networks in the middle of a pruning: exported, measured in workers, stored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import nn

from nasprof import exporting
from nasprof.measuring import Ready, Sizes, measure_models, prepare
from nasprof.profiling import profile_model
from profiler.bench.devices import require
from profiler.bench.measure import Progress
from profiler.bench.profiling import check_profiles
from profiler.core.errors import InputError, MeasurementError
from profiler.core.outcome import Measurement
from profiler.core.profile import OperatorProfile
from profiler.core.target import BenchPlan, Target
from profiler.core.target_text import parse_target
from profiler.core.tensor import TensorSpec
from profiler.store.store import Store


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Measures networks that take the same `inputs` on one target; `label` names them."""

    target: Target
    inputs: tuple[TensorSpec, ...]
    label: str
    store: Store
    on_progress: Progress
    plan: BenchPlan = field(default_factory=BenchPlan)

    def latency_ns(self, network: nn.Module, what: str) -> float:
        """The median, always measured anew. Unit: ns.

        Raises: MeasurementError with the reason when there is none.
        """
        ready = self._ready(network, what)
        (outcome,) = measure_models(
            [ready], [self.target], Sizes(), self.plan, self.store, self.on_progress
        )
        if not isinstance(outcome, Measurement):
            raise MeasurementError(f"{outcome.label}: {outcome.kind}: {outcome.message}")
        return outcome.latency.median_ns

    def profile(self, network: nn.Module, what: str) -> OperatorProfile:
        """Where the network's time goes; its operators add up to the latency.

        Raises: MeasurementError with the reason when there is none.
        """
        plan = BenchPlan.quick(seed=self.plan.seed)
        ready = self._ready(network, what)
        found = profile_model(ready, self.target, Sizes(), plan, self.store, self.on_progress)
        return found.profile

    def _ready(self, network: nn.Module, what: str) -> Ready:
        subject = replace(
            exporting.subject_of_module(network, self.inputs),
            text=f"{self.label} {what}",
            trained=True,
        )
        return prepare(subject, Sizes(), self.plan.seed, self.store, lambda text: None)


def target_of(text: str) -> Target:
    """The target of a latency limit; it must be here and have a profiler.

    Raises: InputError, or UnavailableError with the command that installs it.
    """
    parsed = parse_target(text)
    if parsed.batch is not None:
        raise InputError(
            f"latency@{text}: pruning measures networks of batch 1; leave the batch out"
        )
    device = require(parsed.runtime)
    check_profiles(device)
    return Target(
        parsed.runtime, device.kind, parsed.precision or "fp32", parsed.threads or 1, parsed.options
    )
