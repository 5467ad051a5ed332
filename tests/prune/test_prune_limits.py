"""The limits of a pruning: shares of the unpruned network and values of their own."""

from __future__ import annotations

import pytest

from nasprof.prune._limits import parse_limit, parse_limits
from profiler.core.errors import InputError


@pytest.mark.parametrize(
    ("text", "base", "value"),
    [
        ("macs<=50%", 3000, 1500),
        ("macs <= 0.25x", 3000, 750),
        ("params<=1.5M", 3000, 1.5e6),
        ("latency@onnxruntime-cpu<=0.6x", 1e6, 6e5),
        ("latency@onnxruntime-cpu<=2ms", 1e6, 2e6),
    ],
)
def test_a_limit_for_a_network(text: str, base: float, value: float) -> None:
    assert parse_limit(text).of(base) == pytest.approx(value)


def test_several_limits_in_one_text() -> None:
    macs, params = parse_limits(["macs<=50%, params<=1M"])
    assert (macs.metric, macs.share, params.value) == ("macs", 0.5, 1e6)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("macs", "is none; write for example"),
        ("accuracy<=50%", "is none; write for example"),
        ("macs<=0%", "above 0 and below the whole"),
        ("macs<=100%", "above 0 and below the whole"),
        ("macs<=1.5x", "above 0 and below the whole"),
        ("macs<=5ms", "is not a quantity here"),
        ("params<=0", "must be above 0"),
        ("latency<=0.6x", "needs a target"),
        ("macs@onnxruntime-cpu<=50%", "is the same on every target"),
        ("latency@onnxruntime-cpu/0t<=0.6x", "limit 'latency@onnxruntime-cpu/0t<=0.6x'"),
    ],
)
def test_what_is_no_limit_is_named_with_an_example(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        parse_limit(text)
    assert text in str(caught.value)


def test_a_metric_is_limited_once() -> None:
    with pytest.raises(InputError, match="macs is limited twice"):
        parse_limits(["macs<=50%", "macs<=40%"])
