"""A search as a report shows it: points, the Pareto set, and what was ruled out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from profiler.core.choice import RECORDED, Constraint, traded_keys
from profiler.core.pareto import pareto_indices
from profiler.store.records import FinalistRecord, SearchRecord, TrialRecord, TrialState
from reports.search_progress import Progress, progress


class Standing(StrEnum):
    """How a trial stands to the limits."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    HOPED = "inside by prediction"
    RULED_OUT = "outside by prediction"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Point:
    """One trial; `accuracy` is None where it was not evaluated, as outside the limits."""

    number: int
    key: str
    standing: Standing
    accuracy: float | None
    metrics: Mapping[str, float | None]
    model_sha256: str | None
    session: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A member of the Pareto set: `first` as the search saw it, `metrics` as measured again."""

    point: Point
    metrics: Mapping[str, float | None]
    session: str | None
    confirmed: bool

    @property
    def looked_up(self) -> bool:
        """Whether the second values were looked up in a table, as the first ones."""
        return self.session == RECORDED

    @property
    def accuracy(self) -> float:
        """Its accuracy; a member without one does not exist."""
        return self.point.accuracy or 0.0


@dataclass(frozen=True, slots=True)
class SearchView:
    """A search with what it amounts to.

    `again` are all that were measured a second time, `dropped` those of them that broke a limit.
    """

    record: SearchRecord
    points: tuple[Point, ...]
    front: tuple[FrontPoint, ...]
    again: tuple[FrontPoint, ...]
    dropped: tuple[FrontPoint, ...]
    progress: Progress | None = None

    @property
    def axis(self) -> str:
        """The metric that accuracy is drawn against: the first traded one, a latency if any."""
        keys = traded_keys(self.record.constraints, self.record.objectives)
        latency = [key for key in keys if key.startswith("latency@")]
        return (latency or keys or ["macs"])[0]

    def standing(self, standing: Standing) -> tuple[Point, ...]:
        """The points of one kind."""
        return tuple(point for point in self.points if point.standing is standing)

    @property
    def evaluated(self) -> int:
        """How many accuracies were found."""
        return sum(point.accuracy is not None for point in self.points)


def view_search(
    record: SearchRecord, trials: Sequence[TrialRecord], finalists: Sequence[FinalistRecord]
) -> SearchView:
    """Judge trials by the limits, and find the Pareto set of those that held when measured again.

    Without any second measurement, as in a search that was interrupted, the first ones decide.
    """
    limits = record.constraints
    finished = [trial for trial in trials if trial.state is not TrialState.PROPOSED]
    points = tuple(_point(trial, limits) for trial in finished)
    by_number = {point.number: point for point in points}
    # The last second measurement of a trial counts: a resumed search may have made another.
    again = [_again(by_number[f.number], f) for f in finalists if f.number in by_number]
    latest = list({front.point.number: front for front in again}.values())
    held = [front for front in latest if _inside(front.metrics, limits)]
    pool = held or [] if latest else [_unconfirmed(p) for p in points]
    pool = [front for front in pool if front.point.standing is Standing.INSIDE]
    keys = traded_keys(limits, record.objectives) or ["macs"]
    return SearchView(
        record=record,
        points=points,
        front=tuple(pareto(pool, keys)),
        again=tuple(again),
        dropped=tuple(front for front in latest if front not in held),
        progress=progress(limits, record.objectives, finished),
    )


def pareto(pool: Sequence[FrontPoint], keys: Sequence[str]) -> list[FrontPoint]:
    """Those that no other beats in accuracy and every metric at once, best accuracy first."""
    known = [front for front in pool if front.point.accuracy is not None]
    costs = [_costs(front, keys) for front in known]
    kept = [known[i] for i in pareto_indices(costs)]
    return sorted(kept, key=lambda front: (-front.accuracy, front.point.number))


def _costs(front: FrontPoint, keys: Sequence[str]) -> tuple[float, ...]:
    # Without limits and MACs accuracy alone decides.
    values = [front.metrics.get(key) for key in keys]
    return (-front.accuracy, *(0.0 if value is None else value for value in values))


def _point(trial: TrialRecord, limits: Sequence[Constraint]) -> Point:
    error = trial.record.get("error")
    standing = Standing.FAILED if trial.state is TrialState.FAILED else _standing(trial, limits)
    return Point(
        number=trial.number,
        key=trial.candidate.key,
        standing=standing,
        accuracy=trial.accuracy,
        metrics=trial.metrics,
        model_sha256=trial.model_sha256,
        session=trial.session,
        error=error if isinstance(error, str) else None,
    )


def _standing(trial: TrialRecord, limits: Sequence[Constraint]) -> Standing:
    if _inside(trial.metrics, limits):
        return Standing.INSIDE
    likely = trial.record.get("inside_probability")
    known = [(trial.metrics.get(limit.key), limit.limit) for limit in limits]
    if likely is None or any(value is not None and value > limit for value, limit in known):
        return Standing.OUTSIDE
    return Standing.RULED_OUT if trial.accuracy is None else Standing.HOPED


def _inside(metrics: Mapping[str, float | None], limits: Sequence[Constraint]) -> bool:
    values = [(metrics.get(limit.key), limit.limit) for limit in limits]
    return all(value is not None and value <= limit for value, limit in values)


def _again(point: Point, finalist: FinalistRecord) -> FrontPoint:
    metrics = dict(point.metrics) | dict(finalist.metrics)
    return FrontPoint(point, metrics, finalist.session, confirmed=True)


def _unconfirmed(point: Point) -> FrontPoint:
    return FrontPoint(point, point.metrics, point.session, confirmed=False)
