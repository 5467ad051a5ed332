from dataclasses import replace

from small_models import make_matmul
from test_measure import PLAN, run, store, work_for  # noqa: F401

from profiler.bench.environment import capture
from profiler.bench.pace import known_pace_ns, pace_file, remember_pace
from profiler.core.summary import Verdict


def test_the_fastest_of_the_last_fifty_is_remembered(tmp_path):
    file = tmp_path / "pace" / "machine.json"
    assert known_pace_ns(file) is None
    remember_pace(file, 19_000.0)
    for _ in range(49):
        remember_pace(file, 20_000.0)
    assert known_pace_ns(file) == 19_000
    remember_pace(file, 20_000.0)
    assert known_pace_ns(file) == 20_000


def test_a_damaged_file_is_forgotten(tmp_path):
    file = tmp_path / "machine.json"
    for text in ("{", '{"a": 1}', '["x", null, -3]'):
        file.write_text(text)
        assert known_pace_ns(file) is None
        remember_pace(file, 20_000.0)
        assert known_pace_ns(file) == 20_000


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(tmp_path):
    (tmp_path / "file").write_text("")
    remember_pace(tmp_path / "file" / "machine.json", 20_000.0)
    assert known_pace_ns(tmp_path / "file" / "machine.json") is None


def test_a_worker_below_full_pace_goes_on_and_is_flagged(
    tmp_path,
    monkeypatch,
    store,  # noqa: F811
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = pace_file(capture().key)
    assert file.is_relative_to(tmp_path)
    # No processor runs 300 steps in a nanosecond, so this one is never at that pace.
    remember_pace(file, 1.0)
    model = make_matmul(tmp_path / "matmul.onnx")
    (found,) = run([work_for(model, tmp_path)], store, replace(PLAN, processes=1, max_processes=1))
    assert len(found.attempts[0].rounds) == 4 * PLAN.rounds
    assert found.attempts[0].known_pace_ns == 1.0
    assert found.latency.off_pace
    assert found.latency.verdict is not Verdict.VALID
    assert len(store.outcomes()[0].attempts[0].rounds[0].pace_ns) > 0
    assert known_pace_ns(file) == 1.0
