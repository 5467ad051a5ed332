"""Rounds on a device: a fake one whose work takes exact times on a clock that is set by hand."""

from types import SimpleNamespace

import pytest

from profiler.core.target import BenchPlan
from profiler.runtimes._runtime import DeviceCall
from profiler.worker import device_timing
from profiler.worker.device_timing import take_device_round, transfer_ns

PLAN = BenchPlan(round_s=0.02, min_samples=5)
FAR = 10**15


class Device:
    """A run is enqueued in 0.1 ms and takes 1 ms on the device, which works in the background."""

    def __init__(self):
        self.now = self.free_at = self.began = self.ended = 0

    def run(self):
        self.now += 100_000
        self.free_at = max(self.free_at, self.now) + 1_000_000

    def begin(self):
        self.began = max(self.now, self.free_at)

    def end(self):
        self.ended = max(self.now, self.free_at)

    def wait(self):
        self.now = max(self.now, self.ended)

    def copy(self):
        self.now += 30_000

    def call(self):
        return DeviceCall(
            self.begin, self.run, self.end, self.wait, lambda: self.ended - self.began, self.copy
        )


class Sensors:
    def __init__(self, clocks, held_back):
        self._clocks, self._held_back = iter(clocks), iter(held_back)

    def sm_mhz(self):
        return next(self._clocks)

    def held_back(self):
        return next(self._held_back)


@pytest.fixture
def device(monkeypatch):
    made = Device()
    monkeypatch.setattr(device_timing, "time", SimpleNamespace(perf_counter_ns=lambda: made.now))
    return made


def test_wall_enqueue_and_device_time_are_told_apart(device):
    taken = take_device_round(device.call(), PLAN, 1, FAR, None)
    assert set(taken.wall_ns) == {1_100_000}
    assert set(taken.device.enqueue_ns) == {100_000}
    assert set(taken.device.device_ns) == {1_100_000}  # from the first mark, before the enqueue
    assert taken.device.sm_mhz == ()
    assert len(taken.wall_ns) == 19  # 19 x 1.1 ms is the first time past 20 ms


def test_a_block_waits_once_so_the_device_never_idles_inside_it(device):
    taken = take_device_round(device.call(), PLAN, 10, FAR, None)
    assert taken.runs_per_sample == 10
    assert set(taken.wall_ns) == {100_000 + 10 * 1_000_000}
    assert set(taken.device.enqueue_ns) == {1_000_000}


def test_every_sample_carries_the_clock_and_what_held_it_back(device):
    sensors = Sensors([1980, 1980, None, 1200, 1200], [0, 0, 0x40, None, 0x40])
    taken = take_device_round(device.call(), PLAN, 4, 0, sensors)
    assert len(taken.wall_ns) == 3
    assert taken.device.sm_mhz == (1980, 1980, 0)
    assert taken.device.held_back == (0, 0, 0x40)


def test_copies_are_timed_apart(device):
    assert transfer_ns(device.call().transfer) == 30_000
