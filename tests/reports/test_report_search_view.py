"""Which networks a report names, and why others are not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from profiler.core.choice import Candidate, Constraint
from profiler.store.records import FinalistRecord, SearchRecord, TrialRecord, TrialState
from reports.search_view import Standing, view_search

LIMITS = (Constraint("latency", "r", 10.0), Constraint("params", None, 100.0))
RECORD = SearchRecord("s", "space", "random", "table", LIMITS, 10, 0)


def trial(
    number: int, accuracy: float | None, latency: float | None, params: float = 50.0
) -> TrialRecord:
    metrics = {"latency@r": latency, "params": params}
    candidate = Candidate("space", (number,))
    return TrialRecord(number, candidate, TrialState.DONE, accuracy, metrics, f"t{number}", "sha")


def numbers(trials: list[TrialRecord], finalists: list[FinalistRecord]) -> list[int]:
    return [front.point.number for front in view_search(RECORD, trials, finalists).front]


def test_a_front_is_what_nothing_beats_in_everything() -> None:
    trials = [
        trial(0, 0.9, 5.0),
        trial(1, 0.8, 5.0),
        trial(2, 0.8, 4.0),
        trial(3, 0.8, 5.0, params=10.0),
        trial(4, 0.95, 10.0),
        trial(5, 0.99, 10.1),
    ]
    assert numbers(trials, []) == [4, 0, 2, 3]


def test_unknown_is_outside() -> None:
    view = view_search(RECORD, [trial(0, 0.9, None)], [])
    assert view.points[0].standing is Standing.OUTSIDE
    assert view.front == ()


def test_second_measurements_decide() -> None:
    trials = [trial(0, 0.95, 9.9), trial(1, 0.9, 5.0), trial(2, 0.8, 4.0)]
    finalists = [
        FinalistRecord(0, "f0", {"latency@r": 10.5}),
        FinalistRecord(1, "f1", {"latency@r": 5.5}),
    ]
    view = view_search(RECORD, trials, finalists)
    assert [front.point.number for front in view.front] == [1]
    assert view.front[0].metrics == {"latency@r": 5.5, "params": 50.0}
    assert view.front[0].confirmed
    assert [front.point.number for front in view.dropped] == [0]


def test_the_last_of_several_second_measurements_counts() -> None:
    finalists = [
        FinalistRecord(0, "a", {"latency@r": 11.0}),
        FinalistRecord(0, "b", {"latency@r": 9.0}),
    ]
    view = view_search(RECORD, [trial(0, 0.9, 8.0)], finalists)
    assert [front.metrics["latency@r"] for front in view.front] == [9.0]
    assert view.dropped == ()
    assert len(view.again) == 2


def test_trials_in_the_making_are_left_out_and_failures_told() -> None:
    making = TrialRecord(1, Candidate("space", (1,)), TrialState.PROPOSED)
    failed = TrialRecord(
        2, Candidate("space", (2,)), TrialState.FAILED, record={"error": "ran out of memory"}
    )
    view = view_search(RECORD, [making, failed], [])
    assert [point.number for point in view.points] == [2]
    assert view.points[0].standing is Standing.FAILED
    assert view.points[0].error == "ran out of memory"


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0.1, 20), st.floats(1, 200)), min_size=1, max_size=12
    )
)
def test_every_feasible_network_is_on_the_front_or_beaten(
    values: list[tuple[float, float, float]],
) -> None:
    trials = [trial(n, *value) for n, value in enumerate(values)]
    front = set(numbers(trials, []))
    for number, (accuracy, latency, params) in enumerate(values):
        if latency > 10 or params > 100:
            assert number not in front
        elif number not in front:
            assert any(
                values[one][0] >= accuracy
                and values[one][1] <= latency
                and values[one][2] <= params
                and values[one] != values[number]
                for one in front
            )
