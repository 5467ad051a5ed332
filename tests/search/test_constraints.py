from __future__ import annotations

import pytest

from nasprof.search.constraints import (
    excess,
    parse_constraint,
    parse_constraints,
    parse_objectives,
    show,
)
from profiler.core.choice import ACCURACY, Constraint, Objective
from profiler.core.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latency@onnxruntime-cpu<=2ms", Constraint("latency", "onnxruntime-cpu", 2e6)),
        (" latency @ openvino-cpu <= 1.5 s ", Constraint("latency", "openvino-cpu", 1.5e9)),
        ("macs<=300M", Constraint("macs", None, 3e8)),
        ("params<=3M", Constraint("params", None, 3e6)),
        ("peak_memory<=20MiB", Constraint("peak_memory", None, 20 * 2**20)),
        (
            "peak_memory@onnxruntime-cpu<=1GiB",
            Constraint("peak_memory", "onnxruntime-cpu", 2.0**30),
        ),
        ("energy@onnxruntime-cpu<=2J", Constraint("energy", "onnxruntime-cpu", 2000.0)),
        (
            "latency@onnxruntime-cpu/b8/mode=fast/2t<=5ms",
            Constraint("latency", "onnxruntime-cpu/2t/b8/mode=fast", 5e6),
        ),
        ("latency@recorded:pixel3<=8ms", Constraint("latency", "recorded:pixel3", 8e6)),
    ],
)
def test_reads_limits_into_base_units(text: str, expected: Constraint) -> None:
    assert parse_constraint(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fast",
        "latency<=2ms",
        "latency@<=2ms",
        "latency@onnxruntime-cpu<2ms",
        "latency@onnxruntime-cpu>=2ms",
        "latency@onnxruntime-cpu<=2",
        "latency@onnxruntime-cpu<=2MiB",
        "latency@onnxruntime-cpu<=0ms",
        "latency@onnxruntime-cpu<=-1ms",
        "latency@onnxruntime-cpu<=nanms",
        "latency@onnxruntime-cpu<=1e999ms",
        "macs@onnxruntime-cpu<=3M",
        "macs<=3ms",
        "speed<=3M",
        "accuracy<=0.9",
        "latency@onnxruntime-cpu/fast<=2ms",
        "latency@onnxruntime-cpu/2t/4t<=2ms",
    ],
)
def test_errors_name_the_text_and_show_an_example(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_constraint(text)
    message = str(caught.value)
    assert repr(text) in message
    assert "for example" in message
    assert "\n" not in message


def test_several_limits_and_the_same_one_twice() -> None:
    found = parse_constraints(["macs<=300M, params<=3M", "latency@onnxruntime-cpu<=2ms"])
    assert [c.key for c in found] == ["macs", "params", "latency@onnxruntime-cpu"]
    with pytest.raises(InputError, match="limited twice"):
        parse_constraints(["macs<=300M", "macs<=200M"])


def test_the_shown_form_reads_back() -> None:
    assert show(parse_constraint("latency@a-b<=2ms")) == "latency@a-b <= 2.000 ms"
    assert show(parse_constraint("peak_memory<=20MiB")) == "peak_memory <= 20.00 MiB"


def test_excess_is_the_worst_overrun_and_unknown_is_never_fine() -> None:
    limits = parse_constraints(["macs<=100", "params<=10"])
    assert excess(limits, {"macs": 100, "params": 10}) == 0
    assert excess(limits, {"macs": 50, "params": 15}) == pytest.approx(0.5)
    assert excess(limits, {"macs": 50}) == float("inf")
    assert excess((), {}) == 0


def test_equal_targets_are_one_limit_however_they_are_written() -> None:
    with pytest.raises(InputError, match="limited twice"):
        parse_constraints(["latency@a/2t/b8<=1ms", "latency@a/b8/2t<=2ms"])
    several = parse_constraints(["latency@a/2t<=1ms", "latency@a/4t<=1ms", "latency@b<=2ms"])
    assert [c.key for c in several] == ["latency@a/2t", "latency@a/4t", "latency@b"]


def test_accuracy_is_always_the_first_objective() -> None:
    assert parse_objectives([], []) == parse_objectives(["accuracy"], []) == ()
    latency = Objective("latency", "a/2t/b8")
    assert parse_objectives([], ["latency@a/b8/2t"]) == (ACCURACY, latency)
    several = parse_objectives(["accuracy"], ["latency@a/2t/b8, params", "peak_memory"])
    assert several == (ACCURACY, latency, Objective("params"), Objective("peak_memory"))
    assert [objective.key for objective in several] == [
        "accuracy", "latency@a/2t/b8", "params", "peak_memory",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("maximize", "minimize", "words"),
    [
        (["latency@a"], [], "only accuracy"),
        (["top1"], [], "'top1'"),
        ([], ["accuracy"], "maximizes accuracy"),
        ([], ["latency"], "needs a target, for example 'latency@onnxruntime-cpu'"),
        ([], ["params@a"], "leave out '@a'"),
        ([], ["speed@a"], "unknown metric 'speed'"),
        ([], ["latency@a<=2ms"], "METRIC[@TARGET]"),
        ([], ["latency@a/fast"], "'fast' is no part of a target"),
        ([], ["params", "params"], "'params' is given twice"),
        ([], ["latency@a/2t/b8,latency@a/b8/2t"], "given twice"),
    ],
)
def test_objectives_that_are_none_are_one_clear_line(
    maximize: list[str], minimize: list[str], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse_objectives(maximize, minimize)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
