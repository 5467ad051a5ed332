"""Limits on what is known without a measurement, beside limits that are measured."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from formula_search import KEY, SPACE, Machine, make_problem, strategy_of

import nasprof
from nasprof import inspecting
from nasprof.search.constraints import parse_constraints
from nasprof.search.loop import summarise
from nasprof.search.problem import SearchProblem, fitness
from nasprof.search.trials import Measured, explore
from nasprof.spaces._space import Genes
from nasprof.subjects.space import candidate_subject
from profiler.core.choice import Candidate
from profiler.cost.count import count_file
from profiler.store.records import TrialRecord, TrialState

MOST = 3


def convolutions(genes: Genes) -> float:
    """Stands for MACs: weighted convolutions of the canonical cell."""
    form = SPACE.canonical(genes)
    return 1.0 + form.count(2) + 3 * form.count(3)


class Counting(Machine):
    """Knows MACs before it measures; a measurement says them too."""

    def count(self, candidate: Candidate) -> dict[str, float | None]:
        return {"macs": convolutions(candidate.genes)}

    def measure(self, candidate: Candidate, *, again: bool) -> Measured:
        found = super().measure(candidate, again=again)
        return replace(found, metrics=dict(found.metrics) | self.count(candidate))


def mixed(**settings: object) -> SearchProblem:
    problem = make_problem("evolution", 2.5, queries=20)
    limits = (*problem.constraints, *parse_constraints([f"macs<={MOST}"]))
    return replace(problem, constraints=limits, **settings)


def explored(problem: SearchProblem, machine: Counting) -> list[TrialRecord]:
    return explore(
        problem, strategy_of(problem), measure=machine.measure, evaluate=machine.evaluate,
        count=machine.count, on_trial=machine.keep,
    )  # fmt: skip


@pytest.mark.parametrize("settings", [{}, {"predicted": True}], ids=["all", "predicted"])
def test_what_is_outside_by_count_is_neither_measured_nor_trained(settings) -> None:
    machine = Counting()
    trials = explored(mixed(**settings), machine)
    outside = [t for t in trials if convolutions(t.candidate.genes) > MOST]
    assert len(outside) >= 3
    assert all(convolutions(genes) <= MOST for genes in machine.measured + machine.evaluated)
    for trial in outside:
        assert trial.state is TrialState.DONE
        assert trial.metrics == {"macs": convolutions(trial.candidate.genes)}
        assert trial.accuracy is None
    assert len(machine.evaluated) == 20


def test_the_budget_of_measurements_pays_for_nothing_that_is_outside_by_count() -> None:
    problem, machine = mixed(measurements=12), Counting()
    trials = explored(problem, machine)
    probes = {t.candidate.genes for t in trials if t.record["batch"] == 0}
    later = [genes for genes in machine.measured if genes not in probes]
    assert later
    assert all(convolutions(genes) <= MOST for genes in later + machine.evaluated)


def test_what_is_known_is_not_predicted() -> None:
    trials = explored(mixed(predicted=True), Counting())
    judged = [t for t in trials if "predicted" in t.record]
    assert judged
    assert all(set(t.record["predicted"]) == {KEY} for t in judged)


def test_further_outside_by_count_is_less_fit_and_the_nearest_is_told() -> None:
    problem, machine = mixed(), Counting()
    problem = replace(problem, constraints=parse_constraints([f"{KEY}<=9ms", "macs<=0.5"]))
    trials = explored(problem, machine)
    assert machine.measured == []
    few, many = (pick(trials, key=lambda t: t.metrics["macs"] or 0.0) for pick in (min, max))
    assert fitness(problem, few) > fitness(problem, many)
    result = summarise(problem, trials, [])
    assert result.nearest is not None
    assert result.nearest.metrics == few.metrics
    (note,) = result.notes
    assert "the nearest is" in note
    assert f"macs {few.metrics['macs']:g}" in note


def test_a_live_search_measures_no_network_that_has_too_many_macs(tmp_path) -> None:
    found = nasprof.search(
        "nasbench201", accuracy="proxy:params", queries=3, seed=1, store=tmp_path / "store.db",
        limits=["latency@onnxruntime-cpu<=1s", "macs<=40M"],
    )  # fmt: skip
    measured = [t for t in found.trials if t.session is not None]
    outside = [t for t in found.trials if (t.metrics["macs"] or 0.0) > 40e6]
    assert measured
    assert outside
    assert all((t.metrics["macs"] or 0.0) <= 40e6 for t in measured)
    assert all(set(t.metrics) == {"macs"} for t in outside)
    # A network that was not measured has the very count that the export of another has.
    again = nasprof.inspect(f"nasbench201:{SPACE.index_of(measured[0].candidate.genes)}")
    assert again.macs == measured[0].metrics["macs"]


@pytest.mark.parametrize("cell", [(3, 1, 2, 4, 0, 3), (3, 0, 0, 1, 0, 0)], ids=["live", "dead"])
def test_the_count_is_that_of_the_exported_graph_where_dead_edges_cost_nothing(
    cell: Genes, tmp_path: Path
) -> None:
    network, file = SPACE.build(cell).eval(), tmp_path / "cell.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.zeros(1, 3, 32, 32),), str(file), dynamo=False)
    question = inspecting.Question(candidate_subject(SPACE, cell))
    found = inspecting.count_used(question)
    assert found.macs == count_file(file).macs
    assert found.params == sum(weights.numel() for weights in network.parameters())
    # The first edge of the second cell is a convolution that leads nowhere.
    assert (found.macs < inspecting.count(question).macs) == (cell[1:] == (0, 0, 1, 0, 0))
