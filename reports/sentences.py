"""What the page says in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profiler.core.target import BenchPlan
from profiler.store.records import SearchState
from reports.gather import Material, Subject
from reports.quantities import count_text, limit_text, listed, quantity, short, shown
from reports.search_view import SearchView, Standing


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure of the summary with what it is."""

    figure: str
    caption: str


def summary_lines(material: Material) -> list[str]:
    """What was measured, where, and what the search found, in sentences."""
    shown_rows = [subject.row for subject in material.shown]
    models = len({row.model_sha256 for row in shown_rows})
    targets = sorted({row.target for row in shown_rows})
    failed = count_text(len(material.failures), "attempt") if material.failures else ""
    lines = []
    if shown_rows:
        lines.append(
            f"{count_text(models, 'model')} measured on {listed(map(shown, targets))}; "
            f"{failed or 'no attempt'} failed."
        )
    else:
        lines.append("Nothing was measured yet.")
    machines = sorted(
        {shown(e.cpu_model or "an unknown CPU") for e in material.environments.values()}
    )
    if machines:
        lines.append(f"Machine: {listed(machines)}.")
    if material.search is not None:
        lines += search_lines(material.search)
    doubtful = [row for row in shown_rows if row.verdict != "valid"]
    if doubtful:
        lines.append(
            f"{len(doubtful)} of {len(shown_rows)} measurements are marked as noisy or invalid: "
            "read them with their interval, and do not rank by small differences."
        )
    if len(material.environments) > 1:
        lines.append(
            f"The measurements come from {len(material.environments)} environments (column Env): "
            "compare numbers only within one."
        )
    return lines


def search_lines(view: SearchView) -> list[str]:
    """How a search went, and its best network."""
    record = view.record
    limits = listed(limit_text(limit) for limit in record.constraints) or "no limit"
    inside = len(view.standing(Standing.INSIDE))
    failed = len(view.standing(Standing.FAILED))
    went = (
        f"The search “{shown(record.name, 60)}” tried {count_text(len(view.points), 'network')} of "
        f"{shown(record.space, 60)} under {limits}: {inside} were inside, "
        f"{len(view.points) - inside - failed} outside, {failed} failed."
    )
    if record.state is not SearchState.DONE:
        went += f" It is {record.state.value} and not finished."
    if not view.front:
        return [went, "It has no network to report."]
    best = view.front[0]
    key = view.axis
    found = (
        f"Best: trial #{best.point.number} with accuracy {quantity('accuracy', best.accuracy)} at "
        f"{quantity(key, best.metrics.get(key))} ({shown(key, 80)})"
    )
    again = ", looked up" if best.looked_up else ", measured again" if best.confirmed else ""
    return [went, f"{found}{again}.", *_recorded(view)]


def _recorded(view: SearchView) -> list[str]:
    keys = [shown(limit.key, 80) for limit in view.record.constraints if limit.recorded]
    if not keys:
        return []
    verb = "is" if len(keys) == 1 else "are"
    return [f"{listed(keys)} {verb} recorded in published tables, not measured on this machine."]


def tiles(material: Material) -> list[Tile]:
    """The figures at the top."""
    rows = [subject.row for subject in material.shown]
    found = [
        Tile(str(len({row.model_sha256 for row in rows})), "models"),
        Tile(str(len({row.target for row in rows})), "targets"),
        Tile(str(len(rows)), "measurements"),
        Tile(str(len(material.failures)), "failed attempts"),
    ]
    view = material.search
    if view is not None:
        inside = len(view.standing(Standing.INSIDE))
        found.append(Tile(f"{inside} / {len(view.points)}", "networks inside the limits"))
    if view is not None and view.front:
        best = view.front[0]
        found.append(Tile(quantity("accuracy", best.accuracy), "best accuracy inside"))
        cost = quantity(view.axis, best.metrics.get(view.axis))
        found.append(Tile(cost, f"its {view.axis.partition('@')[0].replace('_', ' ')}"))
    return found


def dropped_lines(view: SearchView) -> list[str]:
    """Why members of the first Pareto set are not reported."""
    return [
        f"Trial #{front.point.number} is not in the set: measured again it broke a limit ("
        + ", ".join(
            f"{shown(c.key, 60)} {quantity(c.key, front.metrics.get(c.key))}"
            for c in view.record.constraints
        )
        + ")."
        for front in view.dropped
    ]


def doubt_lines(subjects: Sequence[Subject]) -> list[str]:
    """Why measurements are marked."""
    return [
        f"{short(s.row.name, 80)} on {shown(s.row.target, 80)} is {s.row.verdict}: "
        f"{shown(s.row.reasons, 300)}."
        for s in subjects
        if s.row.verdict != "valid"
    ]


def plan_lines(plans: Sequence[BenchPlan]) -> list[str]:
    """How it was measured, one line a plan."""
    return [_plan_line(plan) for plan in plans]


def _plan_line(plan: BenchPlan) -> str:
    sizes = ", ".join(f"{shown(name, 40)}={size}" for name, size in plan.dims)
    parts = [
        f"{plan.processes} to {plan.max_processes} fresh worker processes, more while the interval "
        f"is wider than ±{plan.interval:.0%}",
        f"{plan.rounds} rounds of {plan.round_s:g} s each, {plan.min_samples} samples or more",
        f"warm-up of {plan.warmup_runs} runs and {plan.warmup_s:g} s or more",
        f"given up after {plan.deadline_s:g} s",
        f"inputs from seed {plan.seed}",
        *([f"sizes {sizes}"] if sizes else []),
    ]
    return f"{'; '.join(parts)} (plan {plan.key})."
