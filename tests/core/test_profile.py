import pytest

from profiler.core.profile import OperatorProfile, OperatorTime


def operator(what, time_ns, macs, bound_ns=None):
    return OperatorTime(
        what, what, what, "m", ("n",), time_ns, time_ns, macs, 2 * macs, 1000, bound_ns
    )


def profile(*operators):
    return OperatorProfile(
        "0", "net", "t", "s", "e", 100.0, "valid", 100.0, 150.0, 1.0, 98.0, 1000, 30, 0, 0,
        operators,
    )  # fmt: skip


def test_rates_are_per_second():
    one = operator("Conv", 1_000.0, 4_000, bound_ns=250.0)
    assert one.flops_per_s == pytest.approx(8e9)
    assert one.bytes_per_s == pytest.approx(1e9)
    assert one.roofline_share == pytest.approx(0.25)


def test_what_cannot_be_told_is_none():
    assert operator("Conv", 0.0, 1).flops_per_s is None
    assert operator("Conv", 1.0, 1).roofline_share is None


def test_kinds_that_are_slow_for_their_macs_come_first():
    found = profile(
        operator("Conv", 40.0, 900, 20.0),
        operator("Softmax", 50.0, 0, 5.0),
        operator("Conv", 10.0, 100, 5.0),
    )
    softmax, conv = found.groups
    assert (softmax.what, conv.what) == ("Softmax", "Conv")
    assert softmax.excess == pytest.approx(0.5)
    assert conv.excess == pytest.approx(-0.5)
    assert (conv.count, conv.time_ns, conv.macs) == (2, 50.0, 1000)
    assert conv.roofline_share == pytest.approx(0.5)


def test_closure_and_slow_down_are_against_the_same_worker():
    found = profile(operator("Conv", 100.0, 1))
    assert found.closure == pytest.approx(0.98)
    assert found.slow_down == pytest.approx(1.5)
