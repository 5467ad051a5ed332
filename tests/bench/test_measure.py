import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_models import make_matmul

from exporters.model_file import open_model
from profiler.bench.attempt import Work
from profiler.bench.environment import capture
from profiler.bench.measure import measure
from profiler.bench.reference import reference_outputs
from profiler.bench.shapes import bind_inputs
from profiler.core.outcome import Failure, FailureKind, Measurement, Stage
from profiler.core.target import BenchPlan, Target
from profiler.store.store import open_store

PLAN = BenchPlan(
    processes=2,
    max_processes=2,
    rounds=2,
    round_s=0.02,
    min_samples=5,
    warmup_s=0.02,
    deadline_s=20.0,
)
CPU = Target("onnxruntime-cpu")


@pytest.fixture
def store(tmp_path):
    with open_store(str(tmp_path / "store.db")) as opened:
        environment = capture()
        opened.put_environment(environment)
        yield opened


def work_for(path, folder, target=CPU, batch=None):
    model = open_model(path)
    inputs = bind_inputs(model.inputs, {}, batch)
    reference = reference_outputs(model, inputs, 0, folder, 20.0)
    return Work(model, path.name, target, inputs, reference)


def run(works, store, plan=PLAN):
    return measure(works, plan, store, capture().key)


def test_streams_run_at_once_and_come_back_from_the_store(matmul, tmp_path, store):
    plan = replace(PLAN, streams=2)
    (found,) = run([work_for(matmul, tmp_path, batch=8)], store, plan)
    assert [len(b.stream_samples) for a in found.attempts for b in a.rounds] == [2] * 4
    assert found.throughput > 0
    assert found.latency.samples == len(found.samples_ns)
    (alone,) = run([work_for(matmul, tmp_path, batch=8)], store)
    assert alone.session != found.session
    assert alone.attempts[0].rounds[0].stream_samples == ()
    assert store.outcomes(sessions=[found.session]) == [found]


def test_a_cold_start_is_told_by_phase(matmul, tmp_path, store):
    (found,) = run([work_for(matmul, tmp_path, batch=8)], store)
    assert found.start_ns > 0
    assert found.import_ns > 0
    assert all(a.started_ns > a.import_ns for a in found.attempts)


def test_a_model_is_measured_by_the_planned_number_of_processes(matmul, tmp_path, store):
    (found,) = run([work_for(matmul, tmp_path, batch=8)], store)
    assert isinstance(found, Measurement)
    assert len(found.attempts) == 2
    assert found.batch == 8
    assert len(found.samples_ns) >= 2 * 2 * PLAN.min_samples
    assert found.output_error is not None
    assert found.output_error.relative < 1e-5
    assert found.load_ns > 0
    assert 0 < found.memory_bytes < found.peak_rss_bytes
    assert dict(found.attempts[0].effective)["intra_op_num_threads"] == "1"


def test_threads_are_set_and_read_back(matmul, tmp_path, store):
    (found,) = run([work_for(matmul, tmp_path, Target("onnxruntime-cpu", threads=2))], store)
    assert dict(found.attempts[0].effective)["intra_op_num_threads"] == "2"


def test_a_second_invocation_measures_again_and_keeps_the_first(matmul, tmp_path, store):
    work = work_for(matmul, tmp_path)
    (first,) = run([work], store)
    (second,) = run([work], store)
    assert first.session != second.session
    assert len(store.outcomes()) == 2


def test_an_endless_model_is_hung_and_the_others_are_still_measured(
    matmul, endless, tmp_path, store
):
    plan = BenchPlan(
        processes=2, max_processes=2, rounds=2, round_s=0.02, min_samples=5, warmup_s=0.02,
        warmup_max_s=0.2, deadline_s=5.0,
    )  # fmt: skip
    model = open_model(endless)
    works = [
        Work(model, "endless", CPU, bind_inputs(model.inputs, {}, None), None),
        work_for(matmul, tmp_path),
    ]
    hung, measured = run(works, store, plan)
    assert isinstance(hung, Failure)
    assert hung.kind is FailureKind.HUNG
    assert hung.stage is Stage.LOADED
    assert isinstance(measured, Measurement)


def test_outputs_that_differ_from_the_reference_are_a_failure(matmul, tmp_path, store):
    work = work_for(matmul, tmp_path)
    with np.load(work.reference) as stored:
        names, outputs = stored["names"], stored["arr_0"]
    np.savez(work.reference, outputs + 1, names=names)
    (found,) = run([work], store)
    assert isinstance(found, Failure)
    assert found.kind is FailureKind.BAD_OUTPUT


def test_a_model_that_is_rewritten_meanwhile_is_not_measured(matmul, tmp_path, store):
    work = work_for(matmul, tmp_path)
    matmul.write_bytes(matmul.read_bytes() + b"")
    os.utime(matmul, ns=(1, 1))
    (found,) = run([work], store)
    assert found.kind is FailureKind.MODEL_CHANGED


def test_a_precision_that_is_not_pinned_is_refused(matmul, tmp_path, store):
    (found,) = run([work_for(matmul, tmp_path, Target("onnxruntime-cpu", precision="bf16"))], store)
    assert found.kind is FailureKind.WRONG_PRECISION


SCRIPT = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from test_measure import *
paths = [Path(p) for p in {models!r}]
folder = Path({folder!r})
with open_store(str(folder / "store.db")) as store:
    store.put_environment(capture())
    run([work_for(path, folder) for path in paths], store)
"""


@pytest.mark.fault
def test_killed_runs_are_continued_and_repeat_nothing(tmp_path):
    models = [str(make_matmul(tmp_path / f"m{i}.onnx", seed=i)) for i in range(3)]
    here = Path(__file__)
    script = SCRIPT.format(
        paths=[str(here.parents[2]), str(here.parent)], models=models, folder=str(tmp_path)
    )
    for rows in (1, 3, 4):
        process = subprocess.Popen([sys.executable, "-c", script])
        wait_until(lambda rows=rows: _rows(tmp_path / "store.db") >= rows)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run([sys.executable, "-c", script], check=True)
    with open_store(str(tmp_path / "store.db")) as store:
        outcomes = store.outcomes(complete=False)
    assert sorted(found.label for found in outcomes) == ["m0.onnx", "m1.onnx", "m2.onnx"]
    assert all(len(found.attempts) == 2 for found in outcomes)
    assert len({found.session for found in outcomes}) == 1


@pytest.mark.fault
def test_ctrl_c_is_stored_as_interrupted(endless, tmp_path):
    here = Path(__file__)
    script = SCRIPT.format(
        paths=[str(here.parents[2]), str(here.parent)], models=[str(endless)], folder=str(tmp_path)
    ).replace(
        "[work_for(path, folder) for path in paths]", "[no_reference(path) for path in paths]"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stderr=subprocess.PIPE,
        # A shell starts what runs in its background with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    database = tmp_path / "store.db"
    wait_until(lambda: _workers(process.pid))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode != 0
    with open_store(str(database)) as store:
        (found,) = store.outcomes()
    assert found.kind is FailureKind.INTERRUPTED


def no_reference(path):
    model = open_model(path)
    return Work(model, path.name, CPU, bind_inputs(model.inputs, {}, None), None)


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)


def _rows(database):
    if not database.exists():
        return 0
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'attempt'")
        if not tables.fetchall():
            return 0
        return connection.execute("SELECT count(*) FROM attempt").fetchone()[0]


def _workers(pid):
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return listed.stdout.split()


def test_no_works_are_no_outcomes(store):
    assert run([], store) == []
