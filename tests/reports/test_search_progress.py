"""The hypervolume of a search, against cases worked by hand."""

from __future__ import annotations

import pytest

from profiler.core.choice import ACCURACY, Candidate, Constraint, Objective
from profiler.store.records import TrialRecord, TrialState
from reports.charts.hypervolume import hypervolume_chart
from reports.search_progress import progress

LIMIT = (Constraint("latency", "r", 10.0),)
BOTH = (ACCURACY, Objective("latency", "r"))


def trial(
    number: int,
    accuracy: float | None,
    latency: float | None,
    *,
    genes: int | None = None,
    state: TrialState = TrialState.DONE,
) -> TrialRecord:
    candidate = Candidate("space", (number if genes is None else genes,))
    return TrialRecord(number, candidate, state, accuracy, {"latency@r": latency})


def test_the_volume_grows_by_what_each_network_adds_up_to_the_limit() -> None:
    trials = [
        trial(0, 0.5, 5.0),  # 0.5 x 0.5
        trial(1, None, 20.0),
        trial(2, 0.4, 6.0),  # dominated
        trial(3, 0.8, 8.0),  # 0.8 x 0.2 more, less 0.5 x 0.2 shared
        trial(4, 0.9, 11.0),  # outside
        trial(5, 0.2, 1.0),  # 0.2 x 0.9, less 0.2 x 0.5 shared
    ]
    found = progress(LIMIT, (), trials)
    assert found is not None
    assert found.reference == {"latency@r": 10.0}
    assert [(step.trial, step.queries) for step in found.steps] == [(0, 1), (3, 3), (5, 5)]
    assert [step.volume for step in found.steps] == pytest.approx([0.25, 0.31, 0.39])
    assert found.queries == 5
    assert [found.after(n) for n in (0, 1, 2, 3, 5)] == pytest.approx([0, 0.25, 0.25, 0.31, 0.39])


def test_without_a_limit_the_greatest_cost_is_the_reference() -> None:
    found = progress((), BOTH, [trial(0, 0.5, 8.0), trial(1, 0.4, 2.0), trial(2, 0.3, 1.0)])
    assert found is not None
    assert found.reference == {"latency@r": 8.0}
    assert found.volume == pytest.approx(0.4 * 0.75 + 0.3 * 0.125)


def test_what_failed_or_is_unknown_does_not_count_and_a_revisit_counts_once() -> None:
    trials = [
        trial(0, 0.9, None),
        trial(1, 0.9, 1.0, state=TrialState.FAILED),
        trial(2, 0.5, 5.0),
        trial(3, 0.9, 5.0, genes=0),
    ]
    found = progress(LIMIT, (), trials)
    assert found is not None
    assert found.volume == pytest.approx(0.45)
    assert found.queries == 3
    assert progress(LIMIT, (), trials[:1]) is None
    assert progress((), (), trials) is None


def test_a_chart_is_drawn_once_there_is_something_to_see() -> None:
    few = progress(LIMIT, (), [trial(0, 0.5, 5.0)])
    assert hypervolume_chart(few) is None
    found = progress(LIMIT, (), [trial(0, 0.5, 5.0), trial(1, 0.8, 8.0)])
    svg = hypervolume_chart(found)
    assert svg is not None
    assert "accuracies found" in svg
    assert "at the end 0.31" in svg
