"""Value types as JSON and back, for jobs and frames."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from profiler.core.environment import Conditions
from profiler.core.outcome import Attempt, OutputError, Placement, Round
from profiler.core.target import BenchPlan, Target
from profiler.core.tensor import TensorSpec


def target_from(data: dict[str, Any]) -> Target:
    """Read a Target from the JSON of `asdict`."""
    return Target(**{**data, "options": tuple((a, b) for a, b in data["options"])})


def plan_from(data: dict[str, Any]) -> BenchPlan:
    """Read a BenchPlan from the JSON of `asdict`."""
    return BenchPlan(**{**data, "dims": tuple((a, b) for a, b in data["dims"])})


def inputs_from(data: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    """Read input specifications from the JSON of `asdict`."""
    return tuple(
        TensorSpec(d["name"], d["dtype"], None if d["shape"] is None else tuple(d["shape"]))
        for d in data
    )


def attempt_to(attempt: Attempt) -> dict[str, Any]:
    """An Attempt as JSON."""
    return asdict(attempt)


def attempt_from(data: dict[str, Any]) -> Attempt:
    """Read an Attempt from JSON."""
    error = data["output_error"]
    return Attempt(
        **{
            **data,
            "rounds": tuple(_round_from(block) for block in data["rounds"]),
            "placement": tuple(Placement(**place) for place in data["placement"]),
            "effective": tuple((a, b) for a, b in data["effective"]),
            "output_error": None if error is None else OutputError(**error),
            "before": Conditions(**data["before"]),
            "after": Conditions(**data["after"]),
        }
    )


def _round_from(data: dict[str, Any]) -> Round:
    names = ("wall_ns", "cpu_ns", "switches", "faults")
    return Round(**{**data, **{name: tuple(data[name]) for name in names}})
