"""Targets of a search, and which of several measurements of a candidate counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from exporters.model_file import ModelFile
from nasprof.measuring import Ready, Sizes
from nasprof.search.constraints import parse_constraints, parse_objectives
from nasprof.search.measured import Bench, Place, metrics, places
from nasprof.spaces.nasbench201 import PLUGIN as SPACE
from nasprof.subjects.space import candidate_subject
from profiler.bench.environment import capture
from profiler.core.environment import Conditions
from profiler.core.errors import InputError, UnavailableError
from profiler.core.outcome import Attempt, OutputError, Placement, Round
from profiler.core.target import BenchPlan, Target
from profiler.core.tensor import TensorSpec
from profiler.store.store import Store, open_store
from profiler.worker.energy import find_meter

TARGET = Target("onnxruntime-cpu")
SHA = "b" * 64
QUICK, FULL = BenchPlan.quick(), BenchPlan()
CALM = Conditions(load=0.0, cpu_pressure=None, frequency_mhz=None, temperature_c=None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "store.db")) as opened:
        opened.put_environment(capture())
        yield opened


def test_every_target_of_limits_and_objectives_is_found_once() -> None:
    limits = parse_constraints(
        ["latency@onnxruntime-cpu/2t<=5ms", "peak_memory@onnxruntime-cpu/2t<=1GiB", "macs<=1G"]
    )
    more = parse_objectives([], ["latency@onnxruntime-cpu/b8", "energy@recorded:phone"])[1:]
    assert places([*limits, *more], threads=1) == {
        "onnxruntime-cpu/2t": Place(Target("onnxruntime-cpu", threads=2), None),
        "onnxruntime-cpu/b8": Place(Target("onnxruntime-cpu", threads=1), 8),
    }


def test_threads_of_the_request_are_for_targets_that_say_nothing() -> None:
    found = places(parse_constraints(["latency@onnxruntime-cpu<=5ms"]), threads=3)
    assert found["onnxruntime-cpu"].target.threads == 3


@pytest.mark.parametrize(
    ("limit", "error", "words"),
    [
        ("latency@onnxruntime-cpu/bf16<=5ms", InputError, "no precision 'bf16'; it has: fp32"),
        ("latency@abacus<=5ms", InputError, "abacus"),
    ],
)
def test_targets_that_cannot_be_are_refused_with_the_reason(
    limit: str, error: type[Exception], words: str
) -> None:
    with pytest.raises((error, UnavailableError), match=words) as caught:
        places(parse_constraints([limit]), threads=1)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(find_meter(None) is not None, reason="this machine meters energy")
def test_energy_is_refused_where_nothing_meters_it() -> None:
    with pytest.raises(InputError, match=r"energy@onnxruntime-cpu is unknown: .* RAPL"):
        places(parse_constraints(["energy@onnxruntime-cpu<=5mJ"]), threads=1)


def ready() -> Ready:
    inputs = (TensorSpec("x", "float32", (1, 3, 32, 32)),)
    model = ModelFile(Path("none.onnx"), SHA, 10, 10, (("", 18),), inputs, (), (), (), ())
    return Ready(model, "m", None)


def put(store: Store, plan: BenchPlan, median_ns: float, spread: float, session: str) -> None:
    """Store processes whose samples lie within a share of the median."""
    for number in range(plan.processes):
        rng = np.random.default_rng([number, int(median_ns)])
        middle = median_ns * (1 + spread * (number % 2 - 0.5))
        rounds = tuple(
            Round(wall, wall, (0,) * 40, (0,) * 40, 1, 0.1)
            for wall in (
                tuple(int(n) for n in middle * rng.uniform(1 - spread, 1 + spread, 40))
                for _ in range(plan.rounds)
            )
        )
        store.put_attempt(
            session=session,
            number=number,
            model_sha256=SHA,
            label="m",
            target=TARGET,
            plan=plan,
            environment_key=capture().key,
            inputs=ready().model.inputs,
            attempt=Attempt(
                started_ns=0,
                load_ns=1,
                first_run_ns=1,
                warmup_runs=1,
                warmup_settled=True,
                rounds=rounds,
                base_rss_bytes=1,
                peak_rss_bytes=2,
                placement=(Placement("cpu", "fp32", None),),
                effective=(),
                output_error=OutputError(0.0, 0.0, 1.0, 1.0),
                before=CALM,
                after=CALM,
            ),
        )


def median(store: Store) -> float:
    """What counts for the model; the store has all of it, so nothing is measured."""
    bench = Bench({"here": Place(TARGET, None)}, 0, store)
    subject = candidate_subject(SPACE, (1,) * 6)
    found, held = bench.measure(subject, ready(), again=False, on_note=lambda line: None)
    assert held
    return found["here"].latency.median_ns


def test_a_valid_first_measurement_counts(store: Store) -> None:
    put(store, QUICK, 1e6, 0.001, "first")
    put(store, FULL, 3e6, 0.001, "second")
    assert median(store) == pytest.approx(1e6, rel=0.01)


def test_a_noisy_one_gives_way_to_a_longer_measurement(store: Store) -> None:
    put(store, QUICK, 1e6, 0.4, "first")
    put(store, FULL, 3e6, 0.001, "second")
    assert median(store) == pytest.approx(3e6, rel=0.01)


def test_of_two_noisy_ones_the_surer_counts(store: Store) -> None:
    put(store, QUICK, 1e6, 0.2, "first")
    put(store, FULL, 3e6, 0.5, "second")
    assert median(store) == pytest.approx(1e6, rel=0.3)


def test_metrics_are_read_from_the_place_of_each_cost(store: Store) -> None:
    put(store, QUICK, 1e6, 0.001, "first")
    costs = parse_constraints(["latency@here<=1ms", "params<=1M", "latency@recorded:x<=1ms"])
    found, _ = Bench({"here": Place(TARGET, None)}, 0, store)._on(
        ready(), Sizes(), {"here": TARGET}, again=False
    )
    assert metrics(costs, found) == {"latency@here": found["here"].latency.median_ns}
