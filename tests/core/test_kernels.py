import pytest

from profiler.core.kernels import (
    Kernel,
    KernelTimes,
    RecordedChain,
    Recording,
    calibrate,
    middle_mean,
    recording_cost,
)

# 100 and 300 nodes: 0.3 us each beside a fixed part of 5 us; the profiler adds 4 us inside and 5 us
# outside of what it records.
CHAINS = (
    RecordedChain(300, 5_000 + 90_000, 5_000 + 300 * 9_300, 300 * 4_300),
    RecordedChain(100, 5_000 + 30_000, 5_000 + 100 * 9_300, 100 * 4_300),
)


def recording(*entries, chains=CHAINS):
    return Recording(entries, (1,), (1,), chains, 1000)


def times(name, *ns, **changes):
    return KernelTimes(Kernel(name, "Op"), ns, **changes)


def test_the_cost_of_recording_is_the_slope_between_two_lengths():
    found = recording_cost(CHAINS)
    assert found.inside_ns == pytest.approx(4_000)
    assert found.outside_ns == pytest.approx(5_000)
    assert found.least_ns == pytest.approx(300)


def test_the_cost_is_taken_off_and_the_rest_scaled_to_the_latency():
    found = calibrate(recording(times("a", 14_000), times("b", 34_000)), 80_000)
    assert found.cost_ns == pytest.approx(4_000)
    assert found.subtracted_ns == pytest.approx(40_000)
    assert found.times_ns == pytest.approx((20_000, 60_000))


def test_no_kernel_takes_less_than_the_least_there_is():
    found = calibrate(recording(times("a", 3_000), times("b", 34_000), times("c", 0)), 60_600)
    assert found.cost_ns == pytest.approx(4_000)
    assert found.times_ns == pytest.approx((600, 60_000, 0))


def test_a_loop_pays_for_its_calls_and_for_what_was_recorded_inside_it():
    loop = times("loop", 30_000, calls=1.0, inner=2.0)
    body = times("body", 18_000, calls=2.0)
    # 30 us less its own 4 and twice 5; 18 us less twice 4.
    found = calibrate(recording(loop, body), 26_000)
    assert found.times_ns == pytest.approx((16_000, 10_000))


def test_a_profiler_that_costs_nothing_changes_nothing():
    free = tuple(RecordedChain(n, n * 300, n * 300, n * 300) for n in (100, 300))
    found = calibrate(recording(times("a", 1_000), times("b", 3_000), chains=free), 4_000)
    assert found.times_ns == pytest.approx((1_000, 3_000))
    assert found.cost_ns == 0


def test_without_kernels_there_is_no_profile():
    with pytest.raises(ValueError, match="no kernels"):
        calibrate(recording(), 1.0)


def test_the_middle_half_is_averaged():
    assert middle_mean([900, 1, 2, 3, 2, 3, 0, 0]) == 2
    assert middle_mean([7]) == 7
