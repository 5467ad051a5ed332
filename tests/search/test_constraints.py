from __future__ import annotations

import pytest

from nasprof.search.constraints import excess, parse_constraint, parse_constraints, show
from profiler.core.choice import Constraint
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
