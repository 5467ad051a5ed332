"""A pool gives every job a worker of its own, and leaves nothing behind."""

import os
import signal
import tempfile
from pathlib import Path

from profiler.worker.classify import result_of
from profiler.worker.launch import Job
from profiler.worker.pool import Pool, size_for

PROBE = Job("probe", {"runtime": "onnxruntime-cpu"}, runtime="onnxruntime-cpu")


def workers():
    own = str(os.getpid())
    return {
        entry.parent.name
        for entry in Path("/proc").glob("[0-9]*/stat")
        if (text := _read(entry)) and text.rpartition(")")[2].split()[1] == own
    }


def _read(path):
    try:
        return path.read_text()
    except OSError:
        return ""


def folders():
    return list(Path(tempfile.gettempdir()).glob(f"nasprof-{os.getpid()}-*"))


def test_each_job_gets_a_process_of_its_own_and_none_is_left():
    seen = []
    with Pool(2) as pool:
        for _ in range(3):
            before = workers()
            report = pool.launch(PROBE)
            found, problem = result_of(report)
            assert problem is None
            assert found["available"]
            seen.append(before - workers())
        assert len(workers()) == 1  # the fourth still waits
    assert workers() == set()
    assert folders() == []
    used = [worker for ended in seen for worker in ended]
    assert len(used) == len(set(used))


def test_a_worker_that_died_while_it_waited_is_replaced():
    with Pool(2) as pool:
        pool.launch(PROBE)
        for waiting in workers():
            os.kill(int(waiting), signal.SIGKILL)
            os.waitid(os.P_PID, int(waiting), os.WEXITED | os.WNOWAIT)
        found, problem = result_of(pool.launch(PROBE))
    assert problem is None
    assert found["available"]
    assert folders() == []


def test_a_worker_that_does_not_come_up_in_time_is_replaced_by_a_cold_one():
    with Pool(1, warm_s=0.0) as pool:
        found, problem = result_of(pool.launch(PROBE))
    assert problem is None
    assert found["available"]
    assert workers() == set()


def test_what_cannot_be_imported_ahead_is_told_by_the_job():
    with Pool(1) as pool:
        _, problem = result_of(pool.launch(Job("probe", {"runtime": "abacus"}, runtime="abacus")))
    assert "abacus" in problem.message


def test_two_workers_wait_for_each_core_but_never_many():
    assert [size_for(cores) for cores in (1, 2, 64)] == [2, 4, 8]
