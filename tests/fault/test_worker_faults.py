"""Whatever a runtime does to its process, the parent survives and says what happened."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from profiler.core.outcome import Attempt, FailureKind, Stage
from profiler.core.plain import from_plain, to_plain
from profiler.core.target import BenchPlan, Target
from profiler.core.tensor import TensorSpec
from profiler.worker.classify import result_of
from profiler.worker.launch import Job, launch

pytestmark = pytest.mark.fault
PLAN = BenchPlan(
    processes=2,
    max_processes=4,
    rounds=2,
    round_s=0.02,
    min_samples=3,
    warmup_s=0.01,
    warmup_runs=2,
)


def job(python, deadline_s=20.0, memory=None, plan=PLAN, reference=None, **options):
    arguments = {
        "model": "/nowhere.onnx",
        "target": to_plain(Target("actor", options=tuple(sorted(options.items())))),
        "plan": to_plain(plan),
        "inputs": to_plain((TensorSpec("x", "float32", (1, 4)),)),
        "reference": reference,
        "started_ns": time.monotonic_ns(),
    }
    return Job("bench", arguments, deadline_s, memory, 1, python)


def run(python, **keywords):
    the_job = job(python, **keywords)
    report = launch(the_job)
    return report, *result_of(report, the_job.memory_limit_bytes)


def test_a_well_behaved_actor_is_measured(actor_python):
    _, found, problem = run(actor_python)
    assert problem is None
    attempt = from_plain(Attempt, found)
    assert len(attempt.rounds) >= 2  # more where the processor was not at full pace
    assert all(2_000_000 <= wall < 50_000_000 for wall in attempt.rounds[0].wall_ns)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL])
@pytest.mark.parametrize("stage", ["load", "first_run"])
def test_case_26_a_crash_is_classified_with_its_signal_and_stage(actor_python, number, stage):
    report, _, problem = run(actor_python, **{stage: f"signal-{int(number)}"})
    assert problem.kind is FailureKind.CRASHED
    assert number.name in problem.message
    assert report.stage is {"load": Stage.IMPORTED, "first_run": Stage.LOADED}[stage]


@pytest.mark.parametrize("mode", ["hang-idle", "hang-busy", f"signal-{int(signal.SIGSTOP)}"])
def test_case_27_a_hang_is_killed_at_the_deadline(actor_python, mode):
    report, _, problem = run(actor_python, deadline_s=2.0, first_run=mode)
    assert problem.kind is FailureKind.HUNG
    assert 2.0 <= report.elapsed_s < 7.0


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("exit-0", FailureKind.PROTOCOL_ERROR),
        ("exit-7", FailureKind.CRASHED),
        ("half-frame", FailureKind.PROTOCOL_ERROR),
        ("huge-frame", FailureKind.PROTOCOL_ERROR),
        ("garbage", FailureKind.PROTOCOL_ERROR),
        ("raise", FailureKind.CRASHED),
    ],
)
def test_case_32_a_worker_without_a_result_has_a_reason(actor_python, mode, kind):
    _, found, problem = run(actor_python, load=mode)
    assert found is None
    assert problem.kind is kind


def test_case_29_a_grandchild_dies_with_the_worker(actor_python):
    left = []

    def look(message):
        if message.get("stage") == "loaded":
            left.extend(worker_group())

    report = launch(job(actor_python, load="grandchild"), look)
    assert result_of(report)[1] is None
    assert len(left) == 2
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))


def test_case_31_noise_on_stdout_does_not_touch_the_result(actor_python):
    report, found, _ = run(actor_python, load="noise")
    assert found is not None
    assert report.log_tail.endswith("noise\n")
    assert len(report.log_tail) <= 16 * 1024


def test_a_memory_bomb_is_out_of_memory_and_the_parent_is_unharmed(actor_python):
    _, _, problem = run(actor_python, memory=2**30, load="bomb")
    assert problem.kind is FailureKind.OUT_OF_MEMORY
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4 * 2**20


def test_case_42_wrong_outputs_are_a_failure(actor_python, tmp_path):
    reference = tmp_path / "reference.npz"
    feeds = np.random.default_rng(0).standard_normal((1, 4)).astype(np.float32)
    np.savez(reference, feeds, names=np.array(["y"]))
    _, found, _ = run(actor_python, reference=str(reference))
    assert found is not None
    _, _, problem = run(actor_python, reference=str(reference), add="1")
    assert problem.kind is FailureKind.BAD_OUTPUT


def test_case_46_the_parent_sleeps_while_the_worker_measures(actor_python):
    plan = BenchPlan(
        processes=2,
        max_processes=4,
        rounds=10,
        round_s=0.2,
        min_samples=3,
        warmup_s=0.01,
        warmup_runs=2,
    )
    before, started = time.process_time(), time.monotonic()
    run(actor_python, plan=plan)
    spent, wall = time.process_time() - before, time.monotonic() - started
    assert wall > 2.0
    assert spent < 0.02 * wall


def test_case_30_a_killed_parent_takes_its_worker_along(actor_python, tmp_path):
    mark = tmp_path / "worker-is-up"
    script = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parents[2]), str(Path(__file__).parent)]!r}
from test_worker_faults import job
from profiler.worker.launch import launch
def tell(message):
    if message.get("stage") == "loaded":
        open({str(mark)!r}, "w").close()
launch(job({actor_python!r}, deadline_s=60.0, first_run="hang-idle"), tell)
"""
    parent = subprocess.Popen([sys.executable, "-c", script])
    wait_until(mark.exists)
    worker = subprocess.run(
        ["pgrep", "-P", str(parent.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(worker) == 1
    parent.kill()
    parent.wait()
    wait_until(lambda: not Path(f"/proc/{worker[0]}").exists())


def test_case_35_a_local_profiler_file_is_not_run(tmp_path):
    (tmp_path / "profiler.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from profiler.bench.devices import probe\nprint(probe('onnxruntime-cpu').available)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.strip() == "True"
    assert not (tmp_path / "canary").exists()


def test_environment_variables_do_not_reach_the_worker(monkeypatch):
    for name in ("SECRET_TOKEN", "ORT_LOAD_CONFIG_FROM_MODEL", "LD_PRELOAD_TEST", "PYTHONPATH"):
        monkeypatch.setenv(name, "/canary")
    seen = []

    def look(message):
        if message.get("stage") == "started":
            pids = subprocess.run(
                ["pgrep", "-P", str(os.getpid()), "python"], capture_output=True, text=True
            ).stdout.split()
            seen.extend(Path(f"/proc/{pid}/environ").read_bytes() for pid in pids)

    launch(Job("probe", {"runtime": "onnxruntime-cpu"}), look)
    assert seen
    assert not any(b"canary" in environ for environ in seen)


def worker_group():
    """Ids of the worker that runs now and of all in its group."""
    own, found = str(os.getpid()), []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            found.append((entry.parent.name, *entry.read_text().rpartition(")")[2].split()[1:3]))
    groups = {pid for pid, parent, group in found if parent == own and group == pid}
    return [int(pid) for pid, _, group in found if group in groups]


def test_case_26_an_uncaught_exception_of_c_is_a_crash(actor_python):
    report, _, problem = run(actor_python, first_run="terminate")
    assert problem.kind is FailureKind.CRASHED
    assert "SIGABRT" in problem.message
    assert report.stage is Stage.LOADED


def test_case_28_a_kill_from_outside_far_from_the_limit_is_a_crash(actor_python):
    stop = threading.Event()

    def kill():
        while not stop.wait(0.02):
            for pid in worker_group():
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)

    def tell(message):
        if message.get("stage") == "imported":
            killer.start()

    held = np.ones(10**9, dtype=np.uint8)  # the size of this process says nothing of the worker's
    try:
        report = launch(job(actor_python, load="hang-idle"), tell)
    finally:
        stop.set()
        killer.join()
    assert report.signal == signal.SIGKILL
    assert result_of(report, held.size)[1].kind is FailureKind.CRASHED


def test_case_28_a_kill_from_outside_near_the_limit_is_out_of_memory(actor_python):
    filled = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + 300 * 2**20
    stop = threading.Event()

    def kill():
        while not stop.wait(0.02):
            for pid in worker_group():
                if _resident(pid) > filled:
                    os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        report = launch(job(actor_python, load=f"fill-{filled}"))
    finally:
        stop.set()
        killer.join()
    assert report.signal == signal.SIGKILL
    assert result_of(report, filled)[1].kind is FailureKind.OUT_OF_MEMORY


def _resident(pid):
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def wait_until(condition, limit_s=20.0):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)


@pytest.mark.parametrize("mode", ["connect", "resolve"])
def test_a_runtime_opens_no_network_connection(actor_python, mode):
    _, found, problem = run(actor_python, load=mode)
    assert found is None
    assert "a worker opens no network connection" in problem.message


@pytest.mark.parametrize("mode", ["install", "install-by-shell"])
def test_a_runtime_installs_nothing(actor_python, mode):
    _, found, problem = run(actor_python, load=mode)
    assert found is None
    assert "a worker installs nothing" in problem.message


def test_openvino_is_used_without_its_reports_of_use(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    _, problem = result_of(launch(Job("probe", {"runtime": "openvino-cpu"})))
    assert problem is None
    assert list(tmp_path.iterdir()) == []  # its reporter keeps a client id there
