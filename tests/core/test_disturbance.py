from dataclasses import replace

import pytest

from profiler.core.disturbance import disturbances
from profiler.core.environment import Conditions, GpuState
from profiler.core.outcome import Attempt, DeviceSamples, Round
from profiler.core.summary import Verdict, summarise

QUIET = Conditions(
    load=0.0, cpu_pressure=0.0, frequency_mhz=3000.0, temperature_c=40.0, cores_online=2,
    cores_allowed=(0, 1), governor="performance", cpu_quota=2.0, steal_s=1.0, throttled_s=0.0,
    monotonic_s=100.0, boot_s=150.0,
)  # fmt: skip
LATER = replace(QUIET, monotonic_s=101.0, boot_s=151.0)


def block(load=0.0):
    return Round((1_000_000,) * 30, (0,) * 30, (0,) * 30, (0,) * 30, 1, load)


def attempt(before=QUIET, after=LATER, load=0.0, settled=True):
    return Attempt(0, 1, 1, 5, settled, (block(load),) * 5, 0, 1, (), (), None, before, after)


def texts(*attempts):
    return [found.text for found in disturbances(attempts)]


def verdict(*attempts):
    rounds = [list(one.rounds) for one in attempts]
    return summarise(rounds, disturbances(attempts))


def test_nothing_is_said_of_a_quiet_machine():
    assert disturbances([attempt(), attempt()]) == ()
    assert verdict(attempt(), attempt()).verdict is Verdict.VALID


def test_nothing_is_said_of_what_is_unknown():
    unknown = Conditions(None, None, None, None)
    assert disturbances([attempt(unknown, unknown, load=None)]) == ()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("cores_allowed", (0,), "allowed cores changed from 2 (0,1) to 1 (0)"),
        ("governor", "powersave", "governor changed from performance to powersave"),
        ("cpu_quota", 1.0, "CPU quota changed from 2.0 to 1.0"),
    ],
)
def test_a_machine_that_became_another_makes_the_number_invalid(field, value, words):
    changed = replace(LATER, **{field: value})
    during = attempt(after=changed)
    between = attempt(changed, changed)
    for attempts in ([during], [attempt(), between]):
        found = verdict(*attempts, attempt(changed, changed))
        assert found.verdict is Verdict.INVALID
        assert found.reasons == (f"{words} while measuring",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frequency_mhz": 2700.0}, "the clock fell from 3000 to 2700 MHz"),
        ({"steal_s": 1.1}, "took CPU time (steal)"),
        ({"throttled_s": 0.1}, "the CPU quota was reached"),
        ({"boot_s": 211.0}, "the machine slept for 60 s"),
    ],
)
def test_what_interfered_is_a_reason(change, words):
    found = verdict(attempt(after=replace(LATER, **change)), attempt())
    assert found.verdict is Verdict.NOISY
    assert words in found.reasons[0]
    assert len(found.reasons) == 1


def test_load_of_others_counts_from_a_quarter_of_a_core_or_a_tenth_of_the_machine():
    assert texts(attempt(load=0.2)) == []
    assert texts(attempt(load=1.0)) == ["others used 1.0 cores meanwhile"]
    large = attempt(replace(QUIET, cores_online=64), replace(LATER, cores_online=64), load=1.0)
    assert texts(large) == []


def test_one_loaded_round_of_many_is_no_reason():
    one = replace(attempt(), rounds=(block(2.0), *(block() for _ in range(4))))
    assert texts(one) == []


def test_a_warm_up_that_did_not_settle_is_a_reason():
    assert texts(attempt(settled=False), attempt()) == [
        "latency had not settled after the warm-up in 1 of 2 processes"
    ]


def test_samples_with_a_major_page_fault_are_not_clean():
    slow = Round((9_000,) * 10 + (1_000,) * 20, (0,) * 30, (0,) * 30, (1,) * 10 + (0,) * 20)
    found = summarise([[slow] * 6])
    assert found.median_ns == 1_000
    assert found.clean_share == pytest.approx(2 / 3)


def on_gpu(sm_mhz, held_back=(), before=0, after=1):
    device = DeviceSamples((1,) * len(sm_mhz), (1,) * len(sm_mhz), sm_mhz, held_back)
    taken = replace(block(), device=device)
    states = [GpuState(345, 2619, 40.0, 90.0, 1, count, 0) for count in (before, after)]
    first, last = (replace(c, gpu=g) for c, g in zip((QUIET, LATER), states, strict=True))
    return replace(attempt(first, last), rounds=(taken,) * 5)


def test_nothing_is_said_of_a_gpu_at_a_steady_clock():
    assert texts(on_gpu((1980,) * 20, (0,) * 20)) == []


def test_what_held_a_gpu_back_is_named_with_its_share():
    # NVML's reasons: 0x40 is thermal slowdown by the hardware, 0x04 the software power cap.
    found = texts(on_gpu((1980,) * 20, (0x40,) * 5 + (0x04,) * 2 + (0,) * 13))
    assert found == [
        "the power limit held the GPU's clock back in 10% of the samples",
        "heat held the GPU's clock back in 25% of the samples",
    ]


def test_an_idle_gpu_or_clocks_set_by_a_person_are_no_disturbance():
    assert texts(on_gpu((1980,) * 20, (0x01 | 0x02,) * 20)) == []


def test_a_gpu_clock_that_moved_names_the_remedy():
    (found,) = texts(on_gpu((1980,) * 10 + (1500,) * 10))
    assert found == "the GPU's clock moved between 1500 and 1980 MHz; hold it with --lock-gpu-clock"


@pytest.mark.parametrize(("before", "after", "others"), [(1, 1, 1), (0, 3, 2), (None, None, 0)])
def test_other_processes_on_the_gpu_are_counted(before, after, others):
    found = texts(on_gpu((1980,) * 20, before=before, after=after))
    plural = "" if others == 1 else "es"
    assert found == ([f"{others} other process{plural} computed on the GPU"] if others else [])
