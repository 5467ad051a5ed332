"""What a search chooses between, believes and must respect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RECORDED = "recorded"
"""The session of values that were looked up: nothing was measured in one."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One architecture: integers below the sizes of its space."""

    space: str
    genes: tuple[int, ...]

    @property
    def key(self) -> str:
        """Space and genes as text, for example `nasbench201:0.3.3.1.0.4`."""
        return f"{self.space}:{'.'.join(str(gene) for gene in self.genes)}"


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted value with its interval; `in_domain` is False outside the training data."""

    value: float
    low: float
    high: float
    unit: str
    in_domain: bool


@dataclass(frozen=True, slots=True)
class Constraint:
    """An upper limit on a metric, for example latency on a target.

    Unit: `limit` is in base units (ns, bytes, counts, mJ); `target` is a target's text or None.
    """

    metric: str
    target: str | None
    limit: float

    @property
    def recorded(self) -> bool:
        """Whether the target is recorded: a look-up in a published table, no measurement here."""
        return self.target is not None and self.target.startswith(f"{RECORDED}:")

    @property
    def key(self) -> str:
        """The metric with its target, for example `latency@onnxruntime-cpu`."""
        return f"{self.metric}@{self.target}" if self.target else self.metric


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric to be made as small, or as large, as it can be."""

    metric: str
    target: str | None = None
    maximize: bool = False

    @property
    def recorded(self) -> bool:
        """Whether the target is recorded, as for a `Constraint`."""
        return self.target is not None and self.target.startswith(f"{RECORDED}:")

    @property
    def key(self) -> str:
        """The metric with its target, as for a `Constraint`."""
        return f"{self.metric}@{self.target}" if self.target else self.metric


ACCURACY = Objective("accuracy", maximize=True)
"""What every search makes as large as it can."""


def traded_keys(constraints: Sequence[Constraint], objectives: Sequence[Objective]) -> list[str]:
    """The costs that accuracy is traded against in the Pareto set.

    With several objectives those besides accuracy, else every limited metric.
    """
    costs = [objective.key for objective in objectives if objective != ACCURACY]
    return costs or [constraint.key for constraint in constraints]
