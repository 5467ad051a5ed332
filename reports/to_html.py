"""The report as one page that needs nothing else: no script, no outside resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from profiler.core.cost import GraphCost
from profiler.core.units import si
from reports.charts.accuracy import accuracy_chart
from reports.charts.hypervolume import hypervolume_chart
from reports.charts.macs import macs_chart, rank_correlation, targets_of
from reports.charts.operators import by_weight, operator_chart
from reports.charts.roofline import roofline_chart
from reports.charts.spread import spread_chart
from reports.commands import commands
from reports.gather import Material, Subject
from reports.grids import Cell, Grid, failure_grid, measurement_grid, model_grid
from reports.machines import environment_grid, environment_letters
from reports.pages import nasprof_version, style, template
from reports.quantities import shown
from reports.search_grids import front_grid, trial_grid
from reports.search_view import Standing
from reports.sentences import doubt_lines, dropped_lines, plan_lines, summary_lines, tiles

GENERATOR = "nasprof"
_MOST_LINES = 30
_MOST_SPREADS = 24
_MOST_MODELS = 3


@dataclass(frozen=True, slots=True)
class Operators:
    """The operators of one model."""

    label: str
    chart: Markup
    grid: Grid
    remarks: tuple[str, ...]


def to_html(material: Material, generated: str) -> str:
    """Write the page; `generated` is the UTC label that it carries."""
    letters = environment_letters(material.environments)
    subjects = _ordered(material)
    rows = [subject.row for subject in subjects]
    spread = subjects[:_MOST_SPREADS]
    return template("page.html.j2").render(
        generator=GENERATOR,
        version=nasprof_version(),
        generated=generated,
        style=Markup(style()),
        summary=summary_lines(material),
        tiles=tiles(material),
        search=material.search,
        search_name=shown(material.search.record.name) if material.search else "",
        outside=bool(material.search and material.search.standing(Standing.OUTSIDE)),
        accuracy_chart=_markup(accuracy_chart(material.search) if material.search else None),
        hypervolume_chart=_markup(hypervolume_chart(material.search.progress))
        if material.search
        else None,
        front=front_grid(material.search, _labels(material)) if material.search else None,
        dropped=dropped_lines(material.search) if material.search else [],
        trials=trial_grid(material.search) if material.search else None,
        measurements=measurement_grid(subjects[:_MOST_LINES], letters),
        more_measurements=measurement_grid(subjects[_MOST_LINES:], letters),
        doubts=doubt_lines(subjects),
        macs_chart=_markup(macs_chart(rows)),
        roofline_chart=_markup(roofline_chart(subjects, material.calibrations)),
        correlations=_correlations(material),
        spread_chart=_markup(spread_chart(spread)),
        spread_count=f"{len(spread)} of {len(subjects)}",
        operators=_operators(material),
        failures=failure_grid(material.failures),
        models=model_grid(material),
        machines=environment_grid([(letters[k], e) for k, e in material.environments.items()]),
        plans=plan_lines(list(material.plans.values())),
        commands=commands(material),
        repeated=sum(s.measurement is not None for s in material.subjects) - len(subjects),
    )


def _ordered(material: Material) -> list[Subject]:
    """What a person asked for by name first, then the Pareto set, then other trials."""
    front = material.search.front if material.search else ()
    rank = {member.point.number: place for place, member in enumerate(front)}

    def order(subject: Subject) -> tuple[int, str, int, bool, str, str]:
        row = subject.row
        if row.trial is None:
            return (0, row.label, 0, False, row.target, row.batch or "")
        place = rank.get(row.trial, len(rank) + row.trial)
        return (1, "", place, not row.again, row.target, row.batch or "")

    return sorted(material.shown, key=order)


def _labels(material: Material) -> dict[str, str]:
    return {sha256: model.label for sha256, model in material.models.items()}


def _correlations(material: Material) -> list[str]:
    rows = [s.row for s in material.shown]
    found = []
    for target in targets_of(rows):
        value = rank_correlation([row for row in rows if row.target == target])
        if value is not None:
            found.append(f"{shown(target, 80)}: {value:.2f}")
    return found


def _operators(material: Material) -> list[Operators]:
    """The models to look into: the named ones with most work, then the best of the search."""
    ordered = [s for s in _ordered(material) if s.cost is not None]
    named = sorted(
        (s for s in ordered if s.row.trial is None), key=lambda s: -(s.cost.macs if s.cost else 0)
    )
    works = list(dict.fromkeys(s.row.model_sha256 for s in named))
    trials = [s for s in ordered if s.row.trial is not None]
    # Two of a person's own and the best of the search, or more of one kind without the other.
    order = [s for s in named if s.row.model_sha256 in works[:2]]
    chosen: dict[str, Subject] = {}
    for subject in (*order, *trials, *named):
        if len(chosen) < _MOST_MODELS:
            chosen.setdefault(subject.row.model_sha256, subject)
    return [_operator(n, s) for n, s in enumerate(chosen.values()) if s.cost and s.cost.by_op]


def _operator(number: int, subject: Subject) -> Operators:
    assert subject.cost is not None
    row = subject.row
    return Operators(
        label=shown(row.label if row.trial is None else f"#{row.trial} {row.label}"),
        chart=_markup(operator_chart(f"operators{number}", subject.cost)) or Markup(),
        grid=_operator_grid(subject.cost),
        remarks=tuple(_remarks(subject.cost)),
    )


def _operator_grid(cost: GraphCost) -> Grid:
    heads = (
        ("Operator", ""), ("Nodes", ""), ("MACs", ""), ("FLOPs", "2 × MACs + other arithmetic"),
        ("Bytes read", ""), ("Bytes written", ""),
    )  # fmt: skip
    lines = tuple(
        (
            Cell(shown(op.op_type, 60)),
            *(
                Cell(text, number=True)
                for text in (
                    str(op.nodes),
                    si(op.macs),
                    si(op.flops),
                    si(op.bytes_read),
                    si(op.bytes_written),
                )
            ),
        )
        for op in by_weight(cost)
    )
    return Grid(heads, lines)


def _remarks(cost: GraphCost) -> Sequence[str]:
    found = []
    if cost.uncounted:
        names = ", ".join(f"{shown(name, 60)} ({nodes})" for name, nodes in cost.uncounted[:20])
        found.append(f"Not counted, for want of a rule: {names}.")
    if cost.unknown:
        found.append(f"Not counted, for want of a shape: {len(cost.unknown)} nodes.")
    return found


def _markup(svg: str | None) -> Markup | None:
    # Our own drawing; the XML writer has escaped every text in it.
    return None if svg is None else Markup(svg)
