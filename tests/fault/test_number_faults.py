"""Numbers that would be wrong, and what is said of them instead; named by case."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from test_worker_faults import PLAN, job, run, wait_until

from exporters.model_file import open_model
from nasprof.measuring import Sizes, converted
from profiler.bench.attempt import Setting, Work, attempt
from profiler.bench.devices import probe
from profiler.bench.environment import capture
from profiler.bench.measure import measure
from profiler.bench.reference import reference_outputs
from profiler.bench.shapes import bind_inputs
from profiler.core.disturbance import disturbances
from profiler.core.outcome import Attempt, Failure, FailureKind, Measurement
from profiler.core.plain import from_plain
from profiler.core.summary import Verdict
from profiler.core.target import BenchPlan, Target
from profiler.store.store import open_store
from profiler.worker.classify import result_of
from profiler.worker.launch import Job, launch
from reports.rows import outcome_row

pytestmark = pytest.mark.fault
ROOT = Path(__file__).parents[2]


def save(path, nodes, kind=TensorProto.FLOAT, initializers=(), size=4):
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", kind, [1, size])],
        [helper.make_tensor_value_info("y", kind, [1, size])],
        list(initializers),
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def measured(python, plan=PLAN, processes=2, **options):
    """A measurement of the actor by so many processes."""
    attempts = []
    for _ in range(processes):
        _, found, problem = run(python, plan=plan, **options)
        assert problem is None, problem
        attempts.append(from_plain(Attempt, found))
    return Measurement("m", "m", Target("actor"), plan, "e", "s", (), tuple(attempts))


def cli(python, folder, *arguments):
    return subprocess.run(
        [python, "-m", "nasprof", *arguments], cwd=folder, capture_output=True, text=True,
        env=environment(folder), check=False,
    )  # fmt: skip


def environment(folder):
    return {
        "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT),
        "NASPROF_STORE": str(folder / "store.db"), "TMPDIR": str(folder),
    }  # fmt: skip


def test_case_26_the_next_target_goes_on_after_a_crash(actor_python, tmp_path):
    save(tmp_path / "a.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    crash = f"actor/first_run=signal-{int(signal.SIGSEGV)}"
    done = cli(
        actor_python, tmp_path, "bench", "a.onnx", "--quick", "--json",
        "--on", crash, "--on", "onnxruntime-cpu",
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert {row["status"] for row in json.loads(done.stdout)} == {"failure", "measurement"}
    with sqlite3.connect(tmp_path / "store.db") as connection:
        crashes = "SELECT count(*) FROM attempt WHERE kind = 'crashed'"
        assert connection.execute(crashes).fetchone() == (2,)  # tried once more, both kept


def test_case_33_a_runtime_that_does_not_import_is_named_and_others_run(actor_python, tmp_path):
    save(tmp_path / "a.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    alone = cli(actor_python, tmp_path, "bench", "a.onnx", "--on", "broken")
    assert alone.returncode == 2
    assert "libbroken.so" in alone.stderr
    assert "Traceback" not in alone.stderr
    both = cli(
        actor_python, tmp_path, "bench", "a.onnx", "--quick", "--on", "broken",
        "--on", "onnxruntime-cpu",
    )  # fmt: skip
    assert both.returncode == 2
    assert "a.onnx" in both.stdout


LIBRARIES = {
    "onnxruntime": "onnxruntime", "openvino": "libopenvino", "torch": "libtorch",
    "mnn": "_mnncengine", "ncnn": "ncnn.cpython",
}  # fmt: skip
RUNTIMES = ["onnxruntime-cpu", "openvino-cpu", "mnn-cpu", "ncnn-cpu"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_case_34_a_worker_holds_one_runtime(runtime, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if not probe(runtime).available:
        pytest.skip(f"{runtime} is not installed")
    model = save(tmp_path / "a.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    the_job = job(sys.executable)
    loaded = loadable(open_model(model), runtime).artifact or model
    arguments = {**the_job.arguments, "model": str(loaded)}
    arguments["target"] = {**arguments["target"], "runtime": runtime, "options": []}
    seen = set()

    def look(message):
        if message.get("stage") == "timing":
            children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
            maps = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in children)
            seen.update(name for name, mark in LIBRARIES.items() if mark in maps)

    launch(replace(the_job, arguments=arguments), look)
    assert seen == {runtime.partition("-")[0]}


def loadable(model, runtime, reference=None):
    """The model for a runtime, converted where it needs that."""
    inputs = bind_inputs(model.inputs, {}, None)
    work = converted(Work(model, "a", Target(runtime), inputs, reference), None, Sizes(), 0)
    assert work.unconvertible is None, work.unconvertible
    return work


def works(tmp_path, python, monkeypatch, *targets):
    """Works on the actor, started by the interpreter that has it."""
    monkeypatch.setattr("profiler.bench.attempt.Job", partial(Job, interpreter=python))
    model = open_model(save(tmp_path / "a.onnx", [helper.make_node("Relu", ["x"], ["y"])]))
    inputs = bind_inputs(model.inputs, {}, None)
    return [Work(model, f"a{i}", target, inputs, None) for i, target in enumerate(targets)]


def test_case_36_a_lost_device_ends_what_is_left_on_it(actor_python, tmp_path, monkeypatch):
    lose = Target("actor", device="cuda", options=(("first_run", "lose-device"),))
    others = [Target("actor", device="cuda", threads=n) for n in (1, 2)]
    wanted = works(tmp_path, actor_python, monkeypatch, lose, *others, Target("actor", threads=3))
    plan = BenchPlan(processes=1, max_processes=1, rounds=1, round_s=0.01, warmup_s=0.01)
    # A seed whose order begins with the target that loses the device.
    plan = replace(plan, seed=next(seed for seed in range(99) if _first(seed, len(wanted)) == 0))
    with open_store(str(tmp_path / "store.db")) as store:
        store.put_environment(capture())
        found = measure(wanted, plan, store, capture().key)
    kinds = [getattr(outcome, "kind", None) for outcome in found]
    assert kinds == [FailureKind.DEVICE_LOST] * 3 + [None]
    assert "not tried" in found[1].message


def _first(seed, count):
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return order[0]


def test_case_37_ctrl_c_is_stored_and_exits_130(actor_python, tmp_path):
    save(tmp_path / "a.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    process = subprocess.Popen(
        [actor_python, "-m", "nasprof", "bench", "a.onnx", "--on", "actor/first_run=hang-idle"],
        cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A shell starts what runs in its background with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    wait_until(lambda: _worker_of(process.pid), 60.0)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    with open_store(str(tmp_path / "store.db"), read_only=True) as store:
        (found,) = store.outcomes()
    assert found.kind is FailureKind.INTERRUPTED
    assert list(tmp_path.glob("nasprof-*")) == []


def _worker_of(pid):
    """The worker that measures; those before it probe and count."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            if entry.read_text().rpartition(")")[2].split()[1] != str(pid):
                continue
            content = Path(entry.parent / "cwd").joinpath("job.json").read_text()
        except OSError:
            continue
        if json.loads(content)["task"] == "bench":
            return entry.parent.name
    return None


@pytest.mark.skipif(probe("onnxruntime-cuda").available, reason="there is a GPU")
def test_case_38_a_provider_that_falls_back_is_refused(tmp_path):
    model = open_model(save(tmp_path / "a.onnx", [helper.make_node("Relu", ["x"], ["y"])]))
    work = Work(model, "a", Target("onnxruntime-cuda", device="cuda"), model.inputs, None)
    found = attempt(work, Setting(PLAN, "e", "s"))
    assert isinstance(found, Failure)


def test_case_38_all_nodes_on_the_processor_are_the_wrong_device(actor_python):
    the_job = job(actor_python)
    arguments = dict(the_job.arguments)
    arguments["target"] = {**arguments["target"], "device": "cuda"}
    arguments["target"]["options"] = [["placement", "cpu:fp32:9,cuda:fp32:1"]]

    _, problem = result_of(
        launch(type(the_job)("bench", arguments, 30.0, interpreter=actor_python))
    )
    assert problem.kind is FailureKind.WRONG_DEVICE


def test_case_39_mixed_placement_is_stored_and_shown(actor_python):
    found = measured(actor_python, placement="npu:fp32:9,cpu:fp32:1")
    assert outcome_row(found).ran_on == "npu fp32 (9 nodes), cpu fp32 (1 nodes)"


def test_case_40_a_lower_precision_than_asked_is_refused(actor_python):
    _, _, problem = run(actor_python, placement="cpu:bf16:9,cpu:fp32:1")
    assert problem.kind is FailureKind.WRONG_PRECISION
    _, found, _ = run(actor_python, placement="cpu:fp32:9,cpu:f16:1,cpu:i64:20")
    assert found is not None


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_case_41_nan_is_fine_only_where_the_reference_has_it(runtime, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if not probe(runtime).available:
        pytest.skip(f"{runtime} is not installed")
    model = open_model(save(tmp_path / "a.onnx", [helper.make_node("Log", ["x"], ["y"])]))
    inputs = bind_inputs(model.inputs, {}, None)
    reference = reference_outputs(model, inputs, 0, tmp_path, 30.0)
    with np.load(reference) as stored:
        assert np.isnan(stored["arr_0"]).any()
    work = loadable(model, runtime, reference)
    assert isinstance(attempt(work, Setting(PLAN, "e", "s")), Attempt)


@pytest.mark.parametrize(
    "options", [{"add": "nan"}, {"add": "1"}, {"cut": "3"}, {"kind": "float64"}]
)
def test_case_42_nan_value_shape_and_type_must_be_those_of_the_reference(
    actor_python, tmp_path, options
):
    reference = tmp_path / "reference.npz"
    feeds = np.random.default_rng(0).standard_normal((1, 4)).astype(np.float32)
    np.savez(reference, feeds, names=np.array(["y"]))
    _, _, problem = run(actor_python, reference=str(reference), **options)
    assert problem.kind is FailureKind.BAD_OUTPUT


def test_case_42_outputs_without_a_reference_are_unknown_not_right(tmp_path):
    zero = helper.make_tensor("z", TensorProto.INT32, [1], [0])
    path = save(
        tmp_path / "a.onnx", [helper.make_node("Div", ["x", "z"], ["y"])], TensorProto.INT32, [zero]
    )
    model = open_model(path)
    inputs = bind_inputs(model.inputs, {}, None)
    assert reference_outputs(model, inputs, 0, tmp_path, 30.0) is None
    if not probe("openvino-cpu").available:
        pytest.skip("openvino-cpu is not installed")
    found = attempt(Work(model, "a", Target("openvino-cpu"), inputs, None), Setting(PLAN, "e", "s"))
    assert isinstance(found, Failure) or found.output_error is None


@pytest.mark.parametrize(("options", "code"), [("", 0), ("/cache=1", 3)])
def test_case_43_a_runtime_that_remembers_its_results_is_told(
    actor_python, tmp_path, options, code
):
    save(tmp_path / "a.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    done = cli(actor_python, tmp_path, "audit", "a.onnx", "--on", f"actor{options}", "--json")
    assert done.returncode == code, done.stderr
    assert json.loads(done.stdout)["remembers"] is bool(code)


def test_case_44_a_drift_is_flagged_and_unread_sensors_are_unknown(actor_python):
    plan = BenchPlan(
        processes=2,
        max_processes=4,
        rounds=6,
        round_s=0.1,
        min_samples=3,
        warmup_s=0.01,
        warmup_runs=2,
    )
    found = measured(actor_python, plan, processes=1, slope="0.01")
    assert found.latency.verdict is not Verdict.VALID
    assert any("drifted" in reason for reason in found.latency.reasons)
    if not Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq").exists():
        assert found.attempts[0].before.frequency_mhz is None


def test_case_45_a_latency_that_jumps_is_noisy_and_shows_its_interval(actor_python):
    plan = BenchPlan(
        processes=2,
        max_processes=4,
        rounds=4,
        round_s=0.03,
        min_samples=10,
        warmup_s=0.01,
        warmup_runs=2,
    )
    found = measured(actor_python, plan, jump="1")
    assert found.latency.verdict is not Verdict.VALID
    assert found.latency.low_ns < found.latency.high_ns


def test_case_47_a_clock_that_runs_backwards_changes_no_duration(actor_python):
    found = measured(actor_python, load="clock-back")
    assert all(2e6 <= wall < 1e9 for wall in found.samples_ns)
    before, after = found.attempts[0].before, found.attempts[0].after
    assert after.monotonic_s > before.monotonic_s
    asleep = replace(found.attempts[0], after=replace(after, boot_s=after.boot_s + 5))
    assert any("slept" in seen.text for seen in disturbances([asleep]))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core only")
def test_case_48_cores_taken_away_while_measuring_make_it_invalid(actor_python):
    found = measured(actor_python, first_run="one-core")
    assert found.latency.verdict is Verdict.INVALID
    assert "allowed cores changed" in found.latency.reasons[0]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core only")
def test_case_48_measurements_of_two_environments_are_two(actor_python, tmp_path, monkeypatch):
    (work,) = works(tmp_path, actor_python, monkeypatch, Target("actor"))
    plan = BenchPlan(
        processes=2, max_processes=2, rounds=1, round_s=0.01, min_samples=3, warmup_s=0.01
    )
    allowed = os.sched_getaffinity(0)
    with open_store(str(tmp_path / "store.db")) as store:
        try:
            for cores in (allowed, {min(allowed)}):
                os.sched_setaffinity(0, cores)
                store.put_environment(capture())
                measure([work], plan, store, capture().key)
        finally:
            os.sched_setaffinity(0, allowed)
        found = store.outcomes()
    assert len({outcome.environment_key for outcome in found}) == len(found) == 2


def test_case_49_memory_is_what_the_model_took_since_its_load(actor_python):
    found = measured(actor_python, processes=1, load="hold")
    assert found.attempts[0].base_rss_bytes > 0
    assert 95 * 2**20 < found.memory_bytes < 140 * 2**20
