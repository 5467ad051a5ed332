"""How a search came on: the hypervolume of its Pareto set after each accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from profiler.core.choice import Constraint, Objective, traded_keys
from profiler.core.pareto import Point, dominates, hypervolume
from profiler.store.records import TrialRecord, TrialState


@dataclass(frozen=True, slots=True)
class Step:
    """The hypervolume after a trial that changed it. `queries` counts accuracies found by then."""

    trial: int
    queries: int
    volume: float


@dataclass(frozen=True, slots=True)
class Progress:
    """The hypervolume of a search over its trials, as a share of the box up to the reference.

    The box reaches from nothing to the `reference` of each cost (its limit, else the greatest value
    met inside the limits) and from accuracy 0 to 1. Shares of different searches compare when their
    references are the same.
    Unit: `reference` in base units by key.
    """

    reference: Mapping[str, float]
    queries: int
    steps: tuple[Step, ...]

    @property
    def volume(self) -> float:
        """The hypervolume at the end."""
        return self.steps[-1].volume if self.steps else 0.0

    def after(self, queries: int) -> float:
        """The hypervolume when so many accuracies were known."""
        return max((step.volume for step in self.steps if step.queries <= queries), default=0.0)


def progress(
    limits: Sequence[Constraint], objectives: Sequence[Objective], trials: Sequence[TrialRecord]
) -> Progress | None:
    """Follow the hypervolume in accuracy and every traded cost; None where no cost is traded.

    Only trials count that are inside every limit with all costs measured.
    """
    keys = traded_keys(limits, objectives)
    counted = {trial.number: point for trial in trials if (point := _point(trial, limits, keys))}
    if not keys or not counted:
        return None
    bounds = {limit.key: limit.limit for limit in limits}
    reference = {
        key: bounds.get(key, max(point[1 + i] for point in counted.values()))
        for i, key in enumerate(keys)
    }
    scales = (1.0, *reference.values())
    corner = (0.0, *(1.0 for _ in keys))
    steps: list[Step] = []
    front: list[Point] = []
    known: set[str] = set()
    for trial in trials:
        known |= {trial.candidate.key} if trial.accuracy is not None else set()
        if trial.number not in counted:
            continue
        values = zip(counted[trial.number], scales, strict=True)
        point = tuple(value / scale if scale else 1.0 for value, scale in values)
        if point in front or any(dominates(other, point) for other in front):
            continue
        front = [other for other in front if not dominates(point, other)] + [point]
        volume = hypervolume(front, corner)
        if volume > (steps[-1].volume if steps else 0.0):
            steps.append(Step(trial.number, len(known), volume))
    return Progress(reference, len(known), tuple(steps))


def _point(
    trial: TrialRecord, limits: Sequence[Constraint], keys: Sequence[str]
) -> tuple[float, ...] | None:
    """Negative accuracy and the costs, or None for a trial that does not count."""
    metrics = trial.metrics
    inside = all((metrics.get(c.key) or float("inf")) <= c.limit for c in limits)
    costs = [metrics.get(key) for key in keys]
    if trial.state is not TrialState.DONE or trial.accuracy is None or not inside:
        return None
    known = [cost for cost in costs if cost is not None]
    return (-trial.accuracy, *known) if len(known) == len(keys) else None
