import pytest

from profiler.core.outcome import FailureKind, Stage
from profiler.worker.classify import result_of
from profiler.worker.launch import Report

ERROR = {"error": {"kind": "unsupported", "message": "no such operator"}}
RESULT = {"result": {"a": 1}}


@pytest.mark.parametrize(
    ("report", "kind"),
    [
        (Report([ERROR], exit_code=1), FailureKind.UNSUPPORTED),
        (Report([], ended="deadline", signal=9), FailureKind.HUNG),
        (Report([], protocol_error="half", exit_code=0), FailureKind.PROTOCOL_ERROR),
        (Report([], signal=11, stage=Stage.LOADED), FailureKind.CRASHED),
        (Report([], signal=9, peak_rss_bytes=95), FailureKind.OUT_OF_MEMORY),
        (Report([], signal=9, peak_rss_bytes=50), FailureKind.CRASHED),
        (Report([], signal=9, peak_rss_bytes=None), FailureKind.CRASHED),
        (Report([], exit_code=3), FailureKind.CRASHED),
        (Report([], exit_code=0), FailureKind.PROTOCOL_ERROR),
        (Report([RESULT], exit_code=3), FailureKind.CRASHED),
    ],
)
def test_each_end_has_one_kind(report, kind):
    found, problem = result_of(report, memory_limit_bytes=100)
    assert found is None
    assert problem.kind is kind


def test_a_result_with_exit_code_0_is_the_result():
    assert result_of(Report([RESULT], exit_code=0)) == ({"a": 1}, None)
