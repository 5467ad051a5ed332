"""NVML is read and written through its own binding, in a process that finds the fake library."""

import json
import subprocess
import sys

import pytest


def ask(fake_gpu, code, **environment):
    """Run code with `gpu` imported from profiler; what it prints last is JSON."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, os\nfrom profiler import gpu\n{code}"],
        env=fake_gpu.environment(**environment), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


SHOW = "from dataclasses import asdict\nprint(json.dumps(asdict(gpu.find().{}())))"


def test_facts_are_in_the_units_that_they_say(fake_gpu):
    assert ask(fake_gpu, SHOW.format("facts")) == {
        "name": "Fake GPU", "driver": "999.1", "cuda_driver": "13.2", "memory_bytes": 8 * 2**30,
        "power_limit_w": 700.0, "max_sm_mhz": 1980, "ecc": True, "mig": False, "persistence": True,
        "locked_mhz": None,
    }  # fmt: skip


def test_the_state_is_read_anew_each_time(fake_gpu):
    fake_gpu.set(held_back=0x40, processes=2, used=3 << 20, sm_mhz=600)
    assert ask(fake_gpu, SHOW.format("state")) == {
        "sm_mhz": 600, "memory_mhz": 2619, "temperature_c": 41.0, "power_w": 95.5,
        "held_back": 0x40, "processes": 2, "used_bytes": 3 << 20,
    }  # fmt: skip


def test_what_a_board_does_not_tell_is_unknown_and_nothing_else_is_lost(fake_gpu):
    fake_gpu.set(ecc=-1, power_limit_mw=-1, sm_mhz=-1)
    facts = ask(fake_gpu, SHOW.format("facts"))
    assert facts["ecc"] is None
    assert facts["power_limit_w"] is None
    assert facts["max_sm_mhz"] == 1980
    assert ask(fake_gpu, SHOW.format("state"))["sm_mhz"] is None


def test_memory_is_that_of_the_process_asked_for(fake_gpu):
    fake_gpu.set(processes=2, pid=4242)
    code = "print(json.dumps([gpu.find().memory_of(4242), gpu.find().memory_of(4243)]))"
    assert ask(fake_gpu, code) == [123 << 20, None]


@pytest.mark.parametrize("ending", ["pass", "raise KeyboardInterrupt", "os.kill(os.getpid(), 15)"])
def test_clocks_are_locked_inside_and_free_afterwards(fake_gpu, ending):
    code = f"""
import signal
def stop(number, frame):
    raise SystemExit
signal.signal(signal.SIGTERM, stop)
try:
    with gpu.locked_clocks(1200):
        print(open(os.environ["FAKE_NVML_STATE"]).read().split()[-2:])
        {ending}
except BaseException:
    pass
print(json.dumps(open(os.environ["FAKE_NVML_STATE"]).read().split()[-4:]))
"""
    assert ask(fake_gpu, code) == ["locked", "1200", "locked", "0"]


def test_clocks_are_free_again_after_the_tool_was_killed(fake_gpu):
    code = """
with gpu.locked_clocks(1200):
    os.kill(os.getpid(), 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", f"import os\nfrom profiler import gpu\n{code}"],
        env=fake_gpu.environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == -9
    # `run` has read standard error to its end, and the guard holds that until it is done.
    assert fake_gpu.get("locked") == 0


@pytest.mark.parametrize(("state", "mhz"), [({"forbidden": 1}, 1200), ({}, 5000)])
def test_a_clock_that_cannot_be_locked_says_so(fake_gpu, state, mhz):
    fake_gpu.set(**state)
    code = f"""
try:
    with gpu.locked_clocks({mhz}):
        print(json.dumps("inside"))
except gpu.UnavailableError as error:
    print(json.dumps(str(error)))
"""
    found = ask(fake_gpu, code)
    assert f"the clock of Fake GPU cannot be locked at {mhz} MHz" in found
    assert fake_gpu.get("locked") is None


@pytest.mark.parametrize(
    ("visible", "found"),
    [("0", "Fake GPU"), ("GPU-fa", "Fake GPU"), ("7", None), ("-1", None), ("", None)],
)
def test_the_gpu_is_the_one_that_cuda_may_use(fake_gpu, visible, found):
    code = "one = gpu.first()\nprint(json.dumps(one.name if one else None))"
    assert ask(fake_gpu, code, CUDA_VISIBLE_DEVICES=visible) == found


def test_a_machine_with_the_driver_and_no_gpu_has_none(fake_gpu):
    fake_gpu.set(count=0)
    assert ask(fake_gpu, "print(json.dumps(gpu.first() is None))") is True


def test_energy_is_metered_in_joules_and_unknown_where_the_board_does_not_tell(fake_gpu):
    meter = "from profiler.worker.energy import find_meter\nmeter = find_meter(gpu.find())\n"
    spend = "open(os.environ['FAKE_NVML_STATE'], 'a').write('energy_mj 9000\\n')\n"
    show = "print(json.dumps([meter.name, meter.read() - before]))"
    assert ask(fake_gpu, f"{meter}before = meter.read()\n{spend}{show}") == ["NVML", 4.0]
    fake_gpu.set(energy_mj=-1)
    assert ask(fake_gpu, f"{meter}print(json.dumps(meter))") is None
