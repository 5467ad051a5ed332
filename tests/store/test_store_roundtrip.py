"""Whatever a value object holds comes out of the store as it went in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_values import ENVIRONMENT, attempt

from profiler.core.cost import GraphCost
from profiler.core.environment import Environment
from profiler.core.outcome import Attempt, DeviceSamples, Failure, Round
from profiler.core.plain import dump
from profiler.core.target import BenchPlan, Target
from profiler.core.tensor import TensorSpec
from profiler.store.records import ModelRecord, SearchRecord, TrialRecord
from profiler.store.samples import heads, pack, unpack
from profiler.store.store import Store, open_store

INT64 = st.integers(-(2**63), 2**63 - 1)
_NUMBERS = itertools.count()


@st.composite
def rounds(draw: st.DrawFn) -> Round:
    n = draw(st.integers(0, 6))
    columns = [tuple(draw(st.lists(INT64, min_size=n, max_size=n))) for _ in range(5)]
    pace = columns.pop() if draw(st.booleans()) else ()
    load = draw(st.none() | st.floats())
    return Round(
        *columns[:4], runs_per_sample=draw(st.integers(1, 10)), external_load=load, pace_ns=pace
    )


ATTEMPTS = st.builds(Attempt, rounds=st.lists(rounds(), max_size=4).map(tuple))
FEW = settings(max_examples=40, deadline=None)


@pytest.fixture(scope="module")
def memory() -> Iterator[Store]:
    with open_store("sqlite://") as store:
        store.put_environment(ENVIRONMENT)
        yield store


def same(found: object, put: object) -> bool:
    """Equal also where NaN is not equal to itself, and of the same types."""
    return dump(found) == dump(put) and type(found) is type(put)


@FEW
@given(ATTEMPTS, st.from_type(Target), st.from_type(BenchPlan), st.text(), st.data())
def test_measurements(
    memory: Store, value: Attempt, target: Target, plan: BenchPlan, label: str, data: st.DataObject
) -> None:
    inputs = tuple(data.draw(st.lists(st.from_type(TensorSpec), max_size=3)))
    session = f"{next(_NUMBERS)}"
    memory.put_attempt(session, 0, "sha", label, target, plan, ENVIRONMENT.key, inputs, value)
    found = memory.measurement(session, "sha", target, plan)
    assert found is not None
    assert same(found.attempts[0], value)
    assert same(found.inputs, inputs)
    assert found.label == label
    assert same(found.target, target)
    assert same(found.plan, plan)
    assert [one.session for one in memory.outcomes(sessions=[session], complete=False)] == [session]


@FEW
@given(st.builds(Failure, environment_key=st.just(ENVIRONMENT.key)))
def test_failures(memory: Store, value: Failure) -> None:
    value = replace(value, session=f"{next(_NUMBERS)}")
    memory.put_failure(value, 0)
    (found,) = memory.outcomes(sessions=[value.session])
    assert same(found, value)


@FEW
@given(st.from_type(Environment))
def test_environments(memory: Store, value: Environment) -> None:
    memory.put_environment(value)
    assert same(memory.environment(value.key), value)


@FEW
@given(st.from_type(ModelRecord), st.from_type(GraphCost))
def test_models_and_costs(memory: Store, model: ModelRecord, cost: GraphCost) -> None:
    model = replace(model, sha256=f"{next(_NUMBERS)}")
    memory.put_model(model, cost)
    assert same(memory.model(model.sha256), model)
    assert same(memory.cost(model.sha256), cost)


FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3),
    max_leaves=6,
)
METRICS = st.dictionaries(st.text(), st.none() | st.floats(), max_size=3)


@FEW
@given(
    st.builds(SearchRecord, config=st.dictionaries(st.text(), JSON, max_size=3)),
    st.builds(
        TrialRecord,
        number=st.integers(0, 2**31 - 1),
        accuracy=st.none() | st.floats(-1e299, 1e299),
        metrics=METRICS,
        record=st.dictionaries(st.text(), JSON, max_size=3),
    ),
)
def test_searches_and_trials(memory: Store, search: SearchRecord, trial: TrialRecord) -> None:
    search = replace(search, name=f"{next(_NUMBERS)}{search.name}", created_at="2026")
    memory.create_search(search)
    assert same(memory.load_search(search.name), search)
    memory.put_trial(search.name, trial)
    (found,) = memory.trials(search.name)
    assert same(found, trial)


@given(st.lists(rounds(), max_size=4))
def test_samples(blocks: list[Round]) -> None:
    assert same(unpack(pack(blocks), heads(blocks)), tuple(blocks))


@given(st.binary(max_size=60))
def test_bytes_that_are_no_samples_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(data, heads(attempt().rounds))


def test_a_bomb_is_not_inflated() -> None:
    block = Round((0,) * 10**6, (0,) * 10**6, (0,) * 10**6, (0,) * 10**6)
    with pytest.raises(ValueError, match="length"):
        unpack(pack([block]), heads([Round((1,), (1,), (1,), (1,))]))


def test_a_sample_beyond_64_bit_is_refused() -> None:
    with pytest.raises(ValueError, match="64-bit"):
        pack([Round((2**63,), (0,), (0,), (0,))])


def test_nan_is_kept_as_nan(memory: Store) -> None:
    value = attempt()
    assert value.output_error is not None
    value = replace(value, output_error=replace(value.output_error, max_abs=math.nan))
    memory.put_attempt("nan", 0, "s", "m", Target("x"), BenchPlan(), ENVIRONMENT.key, (), value)
    found = memory.measurement("nan", "s", Target("x"))
    assert found is not None
    error = found.attempts[0].output_error
    assert error is not None
    assert math.isnan(error.max_abs)


def test_columns_of_a_device_come_back_and_only_those_that_are_there() -> None:
    device = DeviceSamples(device_ns=(7, 8), enqueue_ns=(1, 2), sm_mhz=(1980, 1200))
    rounds = (
        Round((10, 11), (1, 1), (0, 0), (0, 0), 3, 0.5, device),
        Round((10, 11), (1, 1), (0, 0), (0, 0), 3, 0.5, device, (), (20, 38)),
        Round((12,), (1,), (0,), (0,)),
    )
    assert unpack(pack(rounds), heads(rounds)) == rounds
