"""Rows, machines and searches in JSON's types."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from profiler.core.outcome import Outcome
from profiler.core.plain import to_plain
from profiler.store.records import TrialRecord
from reports.gather import Material
from reports.quantities import shown
from reports.rows import Row, outcome_row
from reports.search_progress import progress
from reports.search_view import FrontPoint, SearchView
from reports.to_text import SearchFound
from reports.variants import beside_fp32

FORMAT = 1


def to_json(material: Material) -> str:
    """Write the rows of a report with the machines and the search they belong to, in ASCII.

    Unit: in the names; infinity and NaN are null, as JSON has neither.
    """
    data = {
        "format": "nasprof-report",
        "version": FORMAT,
        "environments": {key: to_plain(e) for key, e in material.environments.items()},
        "plans": {key: to_plain(plan) for key, plan in material.plans.items()},
        "measurements": [_row(row) for row in material.rows],
        "search": None if material.search is None else _search(material.search),
    }
    return json.dumps(finite(data), indent=1, ensure_ascii=True, allow_nan=False)


def outcome_rows(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Outcomes as one flat mapping each."""
    return [_row(row) for row in beside_fp32([outcome_row(outcome) for outcome in outcomes])]


def search_row(found: SearchFound) -> dict[str, Any]:
    """What a search found: the Pareto set, every trial, and remarks."""
    return {
        "limits": {constraint.key: constraint.limit for constraint in found.problem.constraints},
        "objectives": [to_plain(objective) for objective in found.problem.objectives],
        "hypervolume": to_plain(
            progress(found.problem.constraints, found.problem.objectives, found.trials)
        ),
        "pareto": [_trial(trial) for trial in found.pareto],
        "trials": [_trial(trial) for trial in found.trials],
        "notes": list(found.notes),
    }


def _row(row: Row) -> dict[str, Any]:
    data = asdict(row)
    # Where a path of this machine may be in a text; names and keys are kept as they are.
    data["label"] = shown(row.label, 1000)
    data["message"] = None if row.message is None else shown(row.message, 1000)
    return data


def _trial(trial: TrialRecord) -> dict[str, Any]:
    data: dict[str, Any] = to_plain(trial)
    data["key"] = trial.candidate.key
    return data


def _search(view: SearchView) -> dict[str, Any]:
    return {
        "name": view.record.name,
        "settings": to_plain(view.record),
        "hypervolume": to_plain(view.progress),
        "pareto": [_front(front) for front in view.front],
        "dropped": [_front(front) for front in view.dropped],
        "trials": [to_plain(point) for point in view.points],
    }


def _front(front: FrontPoint) -> dict[str, Any]:
    return {
        "number": front.point.number,
        "key": front.point.key,
        "accuracy": front.point.accuracy,
        "metrics": dict(front.metrics),
        "first_metrics": dict(front.point.metrics),
        "confirmed": front.confirmed,
    }


def finite(value: Any) -> Any:
    """The value with null for infinity and NaN, which JSON has not."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    return [finite(part) for part in value] if isinstance(value, (list, tuple)) else value
